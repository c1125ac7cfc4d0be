import type { ReactNode } from "react";
import { formatCount } from "../../model/number";
import type { Task } from "../../model/task";
import { TaskLink, WorkerLink } from "../Links";
import { StateBadge } from "../state/Badge";
import { Duration, Time, Unknown } from "../time/Time";
import classes from "./TasksTable.module.css";

/** A column of the tasks table; `id` is Flower's name of it, which the API sorts by as well. */
export interface TaskColumn {
  id: string;
  label: string;
  align?: "right";
  /** The first click sorts descending: times and numbers. */
  descendingFirst?: boolean;
  cell: (task: Task) => ReactNode;
}

function text(value: string | null): ReactNode {
  if (value === null) return <Unknown />;
  return (
    <span className={classes.text} title={value.slice(0, 2000)}>
      {value}
    </span>
  );
}

function code(value: string | null): ReactNode {
  if (value === null) return <Unknown />;
  return (
    <code className={classes.code} title={value.slice(0, 2000)}>
      {value.slice(0, 400)}
    </code>
  );
}

const plain = (id: string, label: string, value: (task: Task) => string | null): TaskColumn => ({
  id,
  label,
  cell: (task) => text(value(task)),
});
const printed = (id: string, label: string, value: (task: Task) => string | null): TaskColumn => ({
  id,
  label,
  cell: (task) => code(value(task)),
});
const moment = (id: string, label: string, value: (task: Task) => number | null): TaskColumn => ({
  id,
  label,
  descendingFirst: true,
  cell: (task) => <Time value={value(task)} />,
});
const duration = (id: string, label: string, value: (task: Task) => number | null): TaskColumn => ({
  id,
  label,
  align: "right",
  descendingFirst: true,
  cell: (task) => <Duration value={value(task)} />,
});

/** The name as shown: a task whose name no event told is not called "". */
export function TaskName(props: { task: Task }) {
  const { name } = props.task;
  return name ? name : <i className={classes.nameless}>name not known</i>;
}

/** All columns, in Flower's order, then those that Flower has not. */
export const TASK_COLUMNS: TaskColumn[] = [
  {
    id: "name",
    label: "Name",
    cell: (task) => (
      <TaskLink uuid={task.uuid} className={classes.name} title={task.name ?? undefined}>
        <TaskName task={task} />
      </TaskLink>
    ),
  },
  {
    id: "uuid",
    label: "UUID",
    cell: (task) => (
      <TaskLink uuid={task.uuid} className={classes.uuid} title={task.uuid}>
        {task.uuid}
      </TaskLink>
    ),
  },
  { id: "state", label: "State", cell: (task) => <StateBadge state={task.state} /> },
  printed("args", "args", (task) => task.args),
  printed("kwargs", "kwargs", (task) => task.kwargs),
  printed("result", "Result", (task) => task.result),
  moment("received", "Received", (task) => task.received),
  moment("started", "Started", (task) => task.started),
  duration("runtime", "Runtime", (task) => task.runtime),
  {
    id: "worker",
    label: "Worker",
    cell: ({ worker }) =>
      worker === null ? (
        <Unknown title="no worker has taken it yet" />
      ) : (
        <WorkerLink hostname={worker} className={classes.text} title={worker} />
      ),
  },
  plain("exchange", "Exchange", (task) => task.exchange),
  plain("routing_key", "Routing key", (task) => task.routingKey),
  {
    id: "retries",
    label: "Retries",
    align: "right",
    descendingFirst: true,
    cell: ({ retries }) => (retries === null ? <Unknown /> : formatCount(retries)),
  },
  moment("revoked", "Revoked", (task) => task.revoked),
  printed("exception", "Exception", (task) => task.exception),
  plain("expires", "Expires", (task) => task.expires),
  plain("eta", "ETA", (task) => task.eta),
  plain("queue", "Queue", (task) => task.queue),
  moment("sent", "Sent", (task) => task.sent),
  moment("succeeded", "Succeeded", (task) => task.succeeded),
  moment("failed", "Failed", (task) => task.failed),
  moment("retried", "Retried", (task) => task.retried),
  moment("rejected", "Rejected", (task) => task.rejected),
  moment("updated", "Last change", (task) => task.updated),
  duration("wait", "Wait", (task) => task.wait),
  plain("client", "Client", (task) => task.client),
];

const BY_ID = new Map(TASK_COLUMNS.map((column) => [column.id, column]));

/** The known ones of these ids, in their order, each once. */
export function columnsOf(ids: readonly string[]): TaskColumn[] {
  if (ids.includes("all")) return TASK_COLUMNS;
  return [...new Set(ids)].flatMap((id) => BY_ID.get(id) ?? []);
}

export function isSortable(field: string): boolean {
  return BY_ID.has(field);
}
