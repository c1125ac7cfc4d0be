import type { ReactNode } from "react";
import type { Answers } from "../../model/command";
import { formatCount } from "../../model/number";
import { WorkerLink } from "../Links";
import classes from "./Command.module.css";

/** Workers of one answer that are listed openly; more are folded. */
const OPEN = 2;

/** What each worker said to a command; many that said the same kind of thing are folded. */
export function Said(props: { answers: Answers }) {
  const { confirmed, refused, silent } = props.answers;
  if (confirmed.length + refused.length + silent.length === 0) return null;
  return (
    <div className={classes.said}>
      <Group
        what="confirmed"
        lines={confirmed.map(({ worker, text }) => ({ worker, text: `confirmed: ${text || "ok"}` }))}
      />
      <Group
        what="refused"
        lines={refused.map(({ worker, text }) => ({
          worker,
          text: `refused: ${text || "without a reason"}`,
        }))}
      />
      <Group
        what="gave no answer"
        lines={silent.map((worker) => ({ worker, text: "gave no answer in time; it may still do it" }))}
      />
    </div>
  );
}

function Group(props: { what: string; lines: { worker: string; text: string }[] }): ReactNode {
  const { lines } = props;
  if (lines.length === 0) return null;
  const list = (
    <ul>
      {lines.map(({ worker, text }) => (
        <li key={worker}>
          <WorkerLink hostname={worker} /> {text}
        </li>
      ))}
    </ul>
  );
  if (lines.length <= OPEN) return list;
  return (
    <details>
      <summary>
        {formatCount(lines.length)} workers {props.what}
      </summary>
      {list}
    </details>
  );
}
