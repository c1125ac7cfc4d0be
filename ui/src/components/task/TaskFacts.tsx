import type { ReactNode } from "react";
import { formatCount } from "../../model/number";
import type { TaskDetail } from "../../model/task";
import { TaskLink, WorkerLink } from "../Links";
import { Duration, Time, Unknown, ZoneName } from "../time/Time";
import { CopyButton } from "./CopyButton";
import { Facts, Section } from "./Section";
import classes from "./TaskFacts.module.css";

const when = (value: number | null): ReactNode | undefined =>
  value === null ? undefined : <Time value={value} style="absolute" full />;
const words = (value: string | null): ReactNode | undefined => (value === null ? undefined : value);

/** When: every moment that is known, in the order of a task's life. */
export function TaskTimes(props: { task: TaskDetail }) {
  const { task } = props;
  return (
    <Section title="Times" aside={<ZoneName />} flush>
      <Facts
        rows={{
          Sent: when(task.sent),
          Received: when(task.received) ?? <Unknown />,
          Started: when(task.started),
          Succeeded: when(task.succeeded),
          Failed: when(task.failed),
          Retried: when(task.retried),
          Rejected: when(task.rejected),
          Revoked: when(task.revoked),
          "Last change": when(task.updated),
          "First seen here": when(task.firstSeen),
          Waited: <Duration value={task.wait} />,
          Runtime: <Duration value={task.runtime} />,
          ETA: words(task.eta),
          Expires: words(task.expires),
        }}
      />
    </Section>
  );
}

/** Where: worker, queue and the rest of the message. */
export function TaskPlaces(props: { task: TaskDetail }) {
  const { task } = props;
  return (
    <Section title="Delivery" flush>
      <Facts
        rows={{
          Worker:
            task.worker === null ? (
              <Unknown title="no worker has taken it yet" />
            ) : (
              <WorkerLink hostname={task.worker} />
            ),
          Queue: words(task.queue),
          Exchange: task.exchange === "" ? "(default)" : words(task.exchange),
          "Routing key": words(task.routingKey),
          Retries: task.retries === null ? <Unknown /> : formatCount(task.retries),
          Attempts: task.source === "events" ? formatCount(task.attempts) : undefined,
          Client: words(task.client),
          Clock: task.source === "events" ? formatCount(task.clock) : undefined,
        }}
      />
    </Section>
  );
}

/** Parent, root and children, as links. */
export function TaskFamily(props: { task: TaskDetail }) {
  const { task } = props;
  const link = (uuid: string) => (
    <>
      <TaskLink uuid={uuid} className={classes.uuid} />
      <CopyButton value={uuid} what="this id" />
    </>
  );
  const children = task.children.filter((uuid) => !task.retriedAs.includes(uuid));
  // a result backend need not keep whose child a task is, nor its root
  const isWhole = task.source === "events";
  const unknown = <Unknown title="the result does not tell" />;
  const none = isWhole ? "none" : unknown;
  const isRoot = task.rootId === null || task.rootId === task.uuid;
  return (
    <Section title="Workflow" flush>
      <Facts
        rows={{
          Root: isRoot ? (isWhole ? "this task" : unknown) : link(task.rootId ?? ""),
          "Retry of": task.retryOf === null ? undefined : link(task.retryOf),
          Parent: task.retryOf !== null ? undefined : task.parentId === null ? none : link(task.parentId),
          Children: children.length === 0 ? none : <Ids uuids={children} link={link} />,
          "Retried as": task.retriedAs.length === 0 ? undefined : <Ids uuids={task.retriedAs} link={link} />,
        }}
      />
    </Section>
  );
}

/** Ids that are listed; of more, how many they are. */
const LISTED = 50;

function Ids(props: { uuids: string[]; link: (uuid: string) => ReactNode }) {
  const { uuids, link } = props;
  return (
    <ul className={classes.children}>
      {uuids.slice(0, LISTED).map((uuid) => (
        <li key={uuid}>{link(uuid)}</li>
      ))}
      {uuids.length > LISTED ? <li>and {formatCount(uuids.length - LISTED)} more</li> : null}
    </ul>
  );
}
