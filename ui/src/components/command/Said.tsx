import type { Answers } from "../../model/command";
import { WorkerLink } from "../Links";
import classes from "./Command.module.css";

/** What each worker said to a command. */
export function Said(props: { answers: Answers }) {
  const { confirmed, refused, silent } = props.answers;
  if (confirmed.length + refused.length + silent.length === 0) return null;
  return (
    <ul className={classes.said}>
      {confirmed.map(({ worker, text }) => (
        <li key={`c ${worker}`}>
          <WorkerLink hostname={worker} /> confirmed: {text || "ok"}
        </li>
      ))}
      {refused.map(({ worker, text }) => (
        <li key={`r ${worker}`}>
          <WorkerLink hostname={worker} /> refused: {text || "without a reason"}
        </li>
      ))}
      {silent.map((worker) => (
        <li key={`s ${worker}`}>
          <WorkerLink hostname={worker} /> gave no answer in time; it may still do it
        </li>
      ))}
    </ul>
  );
}
