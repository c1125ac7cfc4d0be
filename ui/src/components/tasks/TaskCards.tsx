import type { Task } from "../../model/task";
import { TaskLink } from "../Links";
import { StateBadge } from "../state/Badge";
import { SortSelect } from "../table/SortSelect";
import { Duration, Time } from "../time/Time";
import { TASK_COLUMNS, TaskName } from "./columns";
import classes from "./TaskCards.module.css";

const SORTS = TASK_COLUMNS.map(({ id, label, descendingFirst }) => ({ field: id, label, descendingFirst }));

/** One page of tasks for a narrow screen: three short lines a task, the whole entry is the link. */
export function TaskCards(props: { tasks: Task[]; sort: string; onSort: (sort: string) => void }) {
  return (
    <>
      <div className={classes.head}>
        <SortSelect fields={SORTS} sort={props.sort} onSort={props.onSort} />
      </div>
      <ul className={classes.list} aria-label="Tasks">
        {props.tasks.map((task) => (
          <li key={task.uuid}>
            <TaskLink uuid={task.uuid} className={classes.card}>
              <span className={classes.name}>
                <TaskName task={task} />
              </span>
              <span className={classes.side}>
                <StateBadge state={task.state} />
              </span>
              <span className={classes.note}>{task.args === null ? "" : task.args.slice(0, 200)}</span>
              <span className={`${classes.note} ${classes.side}`}>
                {task.runtime === null ? null : <Duration value={task.runtime} />}
              </span>
              <span className={classes.note}>{task.worker ?? "no worker yet"}</span>
              <span className={`${classes.note} ${classes.side}`}>
                <Time value={task.received ?? task.sent} />
              </span>
            </TaskLink>
          </li>
        ))}
      </ul>
    </>
  );
}
