import type { Task } from "../../model/task";
import { TaskLink } from "../Links";
import { StateBadge } from "../state/Badge";
import { Duration, Time } from "../time/Time";
import { TaskName } from "./columns";
import classes from "./TasksTable.module.css";

/** One page of tasks for a narrow screen: two lines a task, the whole entry is the link. */
export function TaskCards(props: { tasks: Task[] }) {
  return (
    <ul className={classes.cards}>
      {props.tasks.map((task) => (
        <li key={task.uuid}>
          <TaskLink uuid={task.uuid} className={classes.card}>
            <span className={classes.cardName}>
              <TaskName task={task} />
            </span>
            <span className={classes.cardSide}>
              <StateBadge state={task.state} />
            </span>
            <span className={classes.cardNote}>
              <Time value={task.received ?? task.sent} />
            </span>
            <span className={`${classes.cardNote} ${classes.cardSide}`}>
              {task.runtime === null ? null : <Duration value={task.runtime} />}
            </span>
          </TaskLink>
        </li>
      ))}
    </ul>
  );
}
