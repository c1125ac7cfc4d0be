import { type HeldTask, type Inspection, processedOf } from "../../model/inspection";
import { formatCount } from "../../model/number";
import { epochOf } from "../../model/time";
import { TaskLink, TasksLink } from "../Links";
import table from "../table/Table.module.css";
import { Section } from "../task/Section";
import { Time, Unknown } from "../time/Time";
import { NotAnswered } from "./NotAnswered";
import classes from "./Worker.module.css";

const HELD = [
  { key: "active", title: "Active", none: "It runs no task." },
  { key: "reserved", title: "Reserved", none: "It holds no task that waits for a free process." },
  { key: "scheduled", title: "Scheduled", none: "It holds no task with an ETA." },
] as const;

/** The tasks that a worker runs and keeps, by its own answer. */
export function HeldTasks(props: { inspection: Inspection }) {
  const { inspection } = props;
  const isUntold = inspection.stats === null && HELD.every(({ key }) => inspection[key] === null);
  if (isUntold) return <NotAnswered inspection={inspection} what="its tasks" />;
  return (
    <>
      {HELD.map(({ key, title, none }) => (
        <Section key={key} title={heading(title, inspection.lengths[key])} flush>
          <Rows tasks={inspection[key]} none={none} kind={key} />
          <Cut shown={inspection[key]?.length ?? 0} length={inspection.lengths[key]} />
        </Section>
      ))}
      <Processed inspection={inspection} />
      <Revoked ids={inspection.revoked} length={inspection.lengths.revoked} />
    </>
  );
}

const heading = (title: string, length: number | null) =>
  length ? `${title}: ${formatCount(length)}` : title;

function Rows(props: { tasks: HeldTask[] | null; none: string; kind: "active" | "reserved" | "scheduled" }) {
  const { tasks, kind } = props;
  if (tasks === null) return <p className={classes.empty}>It has not told.</p>;
  if (tasks.length === 0) return <p className={classes.empty}>{props.none}</p>;
  return (
    <div className={table.scroll}>
      <table className={table.table}>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Id</th>
            <th scope="col">Arguments</th>
            {kind === "active" ? <th scope="col">Started</th> : null}
            {kind === "active" ? <th scope="col">Process</th> : null}
            {kind === "scheduled" ? <th scope="col">ETA</th> : null}
            <th scope="col">Acknowledged</th>
          </tr>
        </thead>
        <tbody>
          {tasks.map((task, at) => (
            <tr key={task.id ?? at}>
              <td className={classes.name}>{task.name ?? <Unknown />}</td>
              <td className={classes.code}>{task.id === null ? <Unknown /> : <TaskLink uuid={task.id} />}</td>
              <td className={classes.code}>{argumentsOf(task)}</td>
              {kind === "active" ? (
                <td>
                  <Time value={task.started} />
                </td>
              ) : null}
              {kind === "active" ? <td>{task.pid ?? <Unknown />}</td> : null}
              {kind === "scheduled" ? (
                <td>
                  <Time value={task.eta === null ? null : epochOf(task.eta)} />
                </td>
              ) : null}
              <td>{task.acknowledged === null ? <Unknown /> : task.acknowledged ? "yes" : "no"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function argumentsOf(task: HeldTask): string {
  return [task.args, task.kwargs === "{}" ? null : task.kwargs].filter((text) => text !== null).join(" ");
}

function Cut(props: { shown: number; length: number | null }) {
  if (props.length === null || props.length <= props.shown) return null;
  return (
    <p className={classes.empty}>
      The first {formatCount(props.shown)} of {formatCount(props.length)}.
    </p>
  );
}

/** What it has taken since its start, by name. */
function Processed(props: { inspection: Inspection }) {
  const rows = processedOf(props.inspection);
  return (
    <Section title="Taken since its start" flush>
      {rows.length === 0 ? (
        <p className={classes.empty}>Nothing yet.</p>
      ) : (
        <div className={table.scroll}>
          <table className={table.table}>
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col" data-align="right">
                  Tasks
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map(([name, count]) => (
                <tr key={name}>
                  <td className={classes.name}>
                    <TasksLink name={name} worker={props.inspection.hostname}>
                      {name}
                    </TasksLink>
                  </td>
                  <td data-align="right">{formatCount(count)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  );
}

function Revoked(props: { ids: string[] | null; length: number | null }) {
  const { ids } = props;
  return (
    <Section title={heading("Revoked", props.length)} flush>
      {ids === null || ids.length === 0 ? (
        <p className={classes.empty}>
          {ids === null ? "It has not told." : "It knows of no task that it must not start."}
        </p>
      ) : (
        <ul className={classes.ids}>
          {ids.map((id) => (
            <li key={id}>
              <TaskLink uuid={id} />
            </li>
          ))}
        </ul>
      )}
      <Cut shown={ids?.length ?? 0} length={props.length} />
    </Section>
  );
}
