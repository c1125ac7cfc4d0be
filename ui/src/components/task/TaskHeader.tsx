import type { TaskDetail, TaskNote } from "../../model/task";
import { TasksLink } from "../Links";
import { StateBadge } from "../state/Badge";
import { CopyButton } from "./CopyButton";
import classes from "./TaskHeader.module.css";

const NOTES: Record<TaskNote, string> = {
  redacted: "Secrets in its texts were replaced before they were stored.",
  truncated: "Some texts were longer than is kept, or came cut off from the worker.",
  repaired: "Some texts held characters that can't be stored; they were replaced.",
};

/** Name, state, id and what was done to the texts. */
export function TaskHeader(props: { task: TaskDetail }) {
  const { task } = props;
  return (
    <header className={classes.header}>
      <p className={classes.trail}>
        <TasksLink>Tasks</TasksLink>
        <span aria-hidden="true">/</span>
        {task.name ? <TasksLink name={task.name}>all of this name</TasksLink> : "name not known"}
      </p>
      <div className={classes.title}>
        <h1>{task.name ?? <i>name not known</i>}</h1>
        <StateBadge state={task.state} large />
        {task.redelivered ? (
          <span className={classes.note} title="The broker delivered this task more than once.">
            redelivered
          </span>
        ) : null}
        {task.notes.map((note) => (
          <span key={note} className={classes.note} title={NOTES[note]}>
            {note}
          </span>
        ))}
      </div>
      <p className={classes.uuid}>
        {task.uuid} <CopyButton value={task.uuid} what="the task id" />
      </p>
      {task.sourceNote ? <p className={classes.source}>{task.sourceNote}</p> : null}
    </header>
  );
}
