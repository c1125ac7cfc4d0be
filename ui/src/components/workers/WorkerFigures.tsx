import { formatCount } from "../../model/number";
import type { Worker, WorkerTotals } from "../../model/worker";
import { TasksLink } from "../Links";
import { Unknown } from "../time/Time";
import type { CountColumn } from "./columns";

/** One counter as a link to the tasks behind it: of one worker, or of all when none is named. */
export function CountLink(props: {
  column: CountColumn;
  of: Pick<Worker, CountColumn["field"]> | WorkerTotals;
  hostname?: string;
}) {
  const value = props.of[props.column.field];
  if (value === null) return <Unknown title="no heartbeat has told it" />;
  return (
    <TasksLink worker={props.hostname} state={props.column.state || undefined}>
      {formatCount(value)}
    </TasksLink>
  );
}

/** The three load averages of the worker's host. */
export function LoadAverage(props: { value: number[] | null }) {
  if (props.value === null) return <Unknown title="no heartbeat has told it" />;
  return props.value.map((load) => load.toFixed(2)).join("  ");
}

/** "3 workers", or "3 of 12 workers" where not all are shown. */
export function workerCount(shown: number, all: number): string {
  const count = shown === all ? formatCount(all) : `${formatCount(shown)} of ${formatCount(all)}`;
  return `${count} ${all === 1 ? "worker" : "workers"}`;
}
