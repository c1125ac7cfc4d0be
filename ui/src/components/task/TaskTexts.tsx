import type { TaskDetail } from "../../model/task";
import { CopyButton } from "./CopyButton";
import { Printed } from "./Printed";
import { Section } from "./Section";
import classes from "./TaskTexts.module.css";

/** One text of a task: unknown, or printed with a copy button. */
function Text(props: {
  title: string;
  text: string | null;
  unknown: string;
  raw?: boolean;
  foldLines?: number;
}) {
  const { title, text } = props;
  return (
    <Section title={title} aside={text ? <CopyButton value={text} what={title.toLowerCase()} /> : null}>
      {text === null ? (
        <p className={classes.unknown}>{props.unknown}</p>
      ) : text === "" ? (
        <p className={classes.unknown}>empty</p>
      ) : (
        <Printed text={text} raw={props.raw} foldLines={props.foldLines} />
      )}
    </Section>
  );
}

/** What went in and what came out, in the printed form that workers send. */
export function TaskTexts(props: { task: TaskDetail }) {
  const { task } = props;
  const teller = task.source === "events" ? "no event told them" : "its result does not hold them";
  const failed = task.exception !== null || task.traceback !== null;
  return (
    <>
      {task.exception === null ? null : <Text title="Exception" text={task.exception} unknown="" raw />}
      {task.traceback === null ? null : (
        <Text title="Traceback" text={task.traceback} unknown="" raw foldLines={32} />
      )}
      <Text title="Arguments" text={task.args} unknown={`Not known: ${teller}.`} />
      <Text title="Keyword arguments" text={task.kwargs} unknown={`Not known: ${teller}.`} />
      {failed && task.result === null ? null : (
        <Text
          title="Result"
          text={task.result}
          unknown={task.state === "SUCCESS" ? "Not known: the event did not tell it." : "None yet."}
        />
      )}
    </>
  );
}
