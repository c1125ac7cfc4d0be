import type { Attempt, TaskDetail } from "./task";

/** A stretch of one attempt, in parts (0–1) of the whole axis. */
export interface Bar {
  kind: "wait" | "run";
  start: number;
  end: number;
  /** Seconds. */
  duration: number;
  /** Still going on. */
  isOpen: boolean;
}

export interface Axis {
  start: number;
  end: number;
}

/** From the first thing known of the task to its last; to `now` while it is unfinished. */
export function axisOf(task: TaskDetail, now: number): Axis {
  const times = [...task.sentMarks, ...task.timeline.flatMap(({ marks }) => marks)].map(({ time }) => time);
  if (times.length === 0) {
    const moment = task.updated ?? now;
    return { start: moment, end: moment };
  }
  const isRunning = !task.finished && task.timeline.at(-1)?.ended === null;
  const end = Math.max(...times);
  return { start: Math.min(...times), end: isRunning ? Math.max(end, now) : end };
}

function part(time: number, axis: Axis): number {
  const span = axis.end - axis.start;
  return span <= 0 ? 0 : Math.min(1, Math.max(0, (time - axis.start) / span));
}

/** Waiting (receipt to start) and running (start to end) of an attempt; what no event told is left out. */
export function barsOf(attempt: Attempt, axis: Axis, isLast: boolean): Bar[] {
  const bars: Bar[] = [];
  const add = (kind: Bar["kind"], from: number, to: number | null) => {
    const end = to ?? axis.end;
    bars.push({
      kind,
      start: part(from, axis),
      end: part(end, axis),
      duration: end - from,
      isOpen: to === null,
    });
  };
  const { received, started, ended } = attempt;
  if (received !== null && started !== null) add("wait", received, started);
  else if (received !== null && (ended !== null || isLast)) add("wait", received, ended);
  if (started !== null && (ended !== null || isLast)) add("run", started, ended);
  return bars;
}
