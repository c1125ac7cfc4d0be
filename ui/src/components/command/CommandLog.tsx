import { CloseButton, Loader } from "@mantine/core";
import { describe, type Run, verdictOf } from "../../model/command";
import { TaskLink } from "../Links";
import { Badge } from "../state/Badge";
import classes from "./Command.module.css";
import { Said } from "./Said";

/** The commands of this page and what has come of each, newest first. */
export function CommandLog(props: { runs: Run[]; onDismiss: (key: number) => void }) {
  return (
    <div role="status" aria-label="Commands of this page" className={classes.log}>
      {props.runs.map((run) => (
        <Entry key={run.key} run={run} onDismiss={() => props.onDismiss(run.key)} />
      ))}
    </div>
  );
}

function Entry(props: { run: Run; onDismiss: () => void }) {
  const { run } = props;
  const { tone, word, text } = verdictOf(run);
  const isWaiting = run.answer === null && run.error === null;
  return (
    <div className={classes.entry}>
      <div className={classes.line}>
        <b>{describe(run.command)}</b>
        <Badge tone={tone}>{word}</Badge>
        {isWaiting ? <Loader size={14} aria-hidden="true" /> : null}
        {isWaiting ? null : (
          <CloseButton size="sm" className={classes.dismiss} aria-label="Dismiss" onClick={props.onDismiss} />
        )}
      </div>
      {text ? <p className={classes.text}>{text}</p> : null}
      {run.answer?.task ? (
        <p className={classes.text}>
          New task: <TaskLink uuid={run.answer.task} className={classes.made} />
        </p>
      ) : null}
      {run.answer ? <Said answers={run.answer} /> : null}
    </div>
  );
}
