import { formatCount } from "./number";
import type { Tone } from "./task";

export type JobState = "preview" | "running" | "done" | "stopped" | "failed" | "interrupted";

export type ItemOutcome =
  | "waiting"
  | "sent"
  | "revoked"
  | "started"
  | "terminated"
  | "ended"
  | "failed"
  | "not_sent";

/** Tasks in a state; null: the history does not know them. */
export interface StateCount {
  state: string | null;
  count: number;
}

/** Many tasks that are revoked together, from their preview on. Times are epoch seconds UTC. */
export interface RevocationJob {
  id: number;
  state: JobState;
  stopping: boolean;
  created: number;
  started: number | null;
  ended: number | null;
  who: string | null;
  address: string;
  /** The filter's fields, or how many ids were given. */
  asked: Record<string, string | number | string[]>;
  total: number;
  states: StateCount[];
  /** Those that match and have ended. */
  leftOut: StateCount[];
  terminate: boolean;
  signal: string;
  outcomes: { outcome: ItemOutcome; count: number }[];
  /** Workers that did not confirm. */
  silent: string[];
  detail: string;
  command: number | null;
}

/** A task of a job. */
export interface RevocationItem {
  uuid: string;
  name: string | null;
  /** At the preview. */
  state: string | null;
  outcome: ItemOutcome;
  detail: string;
  /** Now. */
  taskState: string | null;
}

export interface RevocationItemPage {
  items: RevocationItem[];
  next: string | null;
}

/** The filter of the tasks page; empty texts are no filter. */
export interface TaskFilter {
  search: string;
  state: string;
  name: string;
  worker: string;
}

export function isFiltered(filter: TaskFilter): boolean {
  return Boolean(filter.search || filter.state || filter.name || filter.worker);
}

export const OUTCOMES: Record<ItemOutcome, { tone: Tone; word: string; text: string }> = {
  waiting: { tone: "pending", word: "not sent yet", text: "Its turn has not come." },
  sent: { tone: "started", word: "sent", text: "Sent; answers and events are awaited." },
  revoked: {
    tone: "success",
    word: "revoked before start",
    text: "All workers confirmed before it started: none will start it.",
  },
  started: { tone: "retry", word: "already started", text: "It had started before that, and was let run." },
  terminated: { tone: "revoked", word: "terminated", text: "It had started, and was ended." },
  ended: { tone: "rejected", word: "ended otherwise", text: "It ended without having been started." },
  failed: {
    tone: "failure",
    word: "failed",
    text: "Not all workers confirmed, or it is not known whether it had started: its note says which.",
  },
  not_sent: { tone: "unknown", word: "not sent", text: "The job ended before its turn came." },
};

const JOB_STATES: Record<JobState, { tone: Tone; word: string }> = {
  preview: { tone: "pending", word: "preview" },
  running: { tone: "started", word: "running" },
  done: { tone: "success", word: "done" },
  stopped: { tone: "retry", word: "stopped" },
  failed: { tone: "failure", word: "failed" },
  interrupted: { tone: "failure", word: "interrupted" },
};

/** A job's state in a word. One whose tasks did not all end well is not shown as a success. */
export function jobVerdict(job: RevocationJob): { tone: Tone; word: string } {
  if (job.stopping) return { tone: "retry", word: "stopping" };
  if (job.state === "done" && countOf(job, "failed") > 0) return { tone: "retry", word: "done, some failed" };
  return JOB_STATES[job.state];
}

export function countOf(job: RevocationJob, outcome: ItemOutcome): number {
  return job.outcomes.find((one) => one.outcome === outcome)?.count ?? 0;
}

/** Tasks that are judged, as a share of all, 0 to 1. Those that are sent count half. */
export function progressOf(job: RevocationJob): number {
  if (job.total === 0) return 1;
  return 1 - (countOf(job, "waiting") + countOf(job, "sent") / 2) / job.total;
}

/** What a job does now, as a sentence. */
export function phaseOf(job: RevocationJob): string {
  if (job.state !== "running") return "";
  if (countOf(job, "waiting") > 0 && !job.stopping) return "Workers are told, some hundred tasks at a time.";
  if (countOf(job, "sent") > 0) {
    return "Waiting for the last answers, and for events of tasks that had started by then.";
  }
  return job.terminate ? "Waiting for the ends of those that got the signal." : "Almost done.";
}

/** What was asked for, in words. */
export function askedWords(asked: RevocationJob["asked"]): string {
  if (typeof asked.ids === "number") return asked.ids === 1 ? "1 id" : `${formatCount(asked.ids)} ids`;
  return Object.entries(asked)
    .map(([field, value]) => `${field}: ${Array.isArray(value) ? value.join(", ") : value}`)
    .join(" · ");
}

export function tasksWord(count: number): string {
  return count === 1 ? "1 task" : `${formatCount(count)} tasks`;
}
