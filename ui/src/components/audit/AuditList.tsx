import { useNarrow } from "../../hooks/useNarrow";
import { type AuditRow, actionLabel, outcomeVerdict, printParameters, targetKind } from "../../model/command";
import { Said } from "../command/Said";
import { AuditLink, QueueLink, RevocationLink, TaskLink, TasksLink, WorkerLink } from "../Links";
import { Badge } from "../state/Badge";
import cards from "../table/PlainCards.module.css";
import table from "../table/Table.module.css";
import { Time } from "../time/Time";
import classes from "./AuditList.module.css";

/** Commands as a table, or as cards where there is no room for one. */
export function AuditList(props: { rows: AuditRow[] }) {
  if (useNarrow()) {
    return (
      <ul className={cards.list} aria-label="Commands">
        {props.rows.map((row) => (
          <Card key={row.id} row={row} />
        ))}
      </ul>
    );
  }
  return (
    <div className={table.scroll}>
      <table className={`${table.table} ${classes.audit}`}>
        <thead>
          <tr>
            {["When", "Who", "From", "What", "Target", "Parameters", "Outcome"].map((label) => (
              <th key={label} scope="col">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.rows.map((row) => (
            <tr key={row.id}>
              <td>
                <Time value={row.time} />
              </td>
              <td>
                <Who row={row} />
              </td>
              <td>{row.address || "here"}</td>
              <td>{actionLabel(row.action)}</td>
              <td className={classes.target}>
                <Target row={row} />
              </td>
              <td className={classes.parameters}>{printParameters(row.parameters)}</td>
              <td className={classes.outcome}>
                <Outcome row={row} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Card(props: { row: AuditRow }) {
  const { row } = props;
  return (
    <li className={cards.card}>
      <div className={classes.line}>
        <b>{actionLabel(row.action)}</b>
        <span className={classes.when}>
          <Time value={row.time} />
        </span>
      </div>
      <div className={classes.target}>
        <Target row={row} />
      </div>
      <div className={classes.parameters}>{printParameters(row.parameters)}</div>
      <div>
        <Outcome row={row} />
      </div>
      <div className={classes.note}>
        <Who row={row} /> from {row.address || "here"}
      </div>
    </li>
  );
}

function Who(props: { row: AuditRow }) {
  const { who } = props.row;
  return who === null ? (
    <span title="Nobody had to log in.">no login</span>
  ) : (
    <AuditLink who={who}>{who}</AuditLink>
  );
}

function Target(props: { row: AuditRow }) {
  const { action, target } = props.row;
  const kind = targetKind(action);
  if (kind === "task") return <TaskLink uuid={target} />;
  if (kind === "job") return target ? <RevocationLink id={target} /> : <>–</>;
  if (kind === "queue") return <QueueLink name={target} />;
  return kind === "name" ? <TasksLink name={target}>{target}</TasksLink> : <WorkerLink hostname={target} />;
}

function Outcome(props: { row: AuditRow }) {
  const { row } = props;
  const { tone, word } = outcomeVerdict(row.outcome);
  return (
    <>
      <Badge tone={tone}>{word}</Badge>
      {row.detail ? <p className={classes.note}>{row.detail}</p> : null}
      <div className={classes.note}>
        <Said answers={row} />
      </div>
    </>
  );
}
