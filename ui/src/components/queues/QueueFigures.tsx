import { formatCount } from "../../model/number";
import type { AgeBasis, Queue } from "../../model/queue";
import { formatDuration } from "../../model/time";
import { Time, Unknown } from "../time/Time";
import type { FigureColumn } from "./columns";

/** One number of a queue. */
export function Figure(props: { queue: Queue; field: FigureColumn["field"] }) {
  const value = props.queue[props.field];
  return value === null ? <Unknown title="not known now" /> : formatCount(value);
}

/** "4.21 s" since it was sent, "≥ 4.21 s" where only that is sure. */
export function Age(props: { value: number | null; basis: AgeBasis | null }) {
  if (props.value === null) return <Unknown title="not known yet" />;
  const atLeast = props.basis === "first-seen";
  return (
    <span title={atLeast ? "at least: it was seen then; when it was sent is not known" : "since it was sent"}>
      {atLeast ? "≥ " : ""}
      {formatDuration(props.value)}
    </span>
  );
}

/** How long the first message waits; nothing where none waits. */
export function OldestAge(props: { queue: Queue }) {
  const { queue } = props;
  if (queue.columns.oldest === "known" && queue.oldestAge === null)
    return <span title="none waits">none</span>;
  return <Age value={queue.oldestAge} basis={queue.oldestBasis} />;
}

export function IdleSince(props: { queue: Queue }) {
  const { queue } = props;
  if (queue.idleSince === null) return <Unknown title="in use, or not known" />;
  return <Time value={queue.idleSince} />;
}

/** "3 queues", or "3 of 12 queues" where not all are shown. */
export function queueCount(shown: number, all: number): string {
  const count = shown === all ? formatCount(all) : `${formatCount(shown)} of ${formatCount(all)}`;
  return `${count} ${all === 1 ? "queue" : "queues"}`;
}
