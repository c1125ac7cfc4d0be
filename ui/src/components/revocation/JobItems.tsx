import { useNarrow } from "../../hooks/useNarrow";
import { OUTCOMES, type RevocationItem } from "../../model/revocation";
import { TaskLink } from "../Links";
import { Badge, StateBadge } from "../state/Badge";
import cards from "../table/PlainCards.module.css";
import table from "../table/Table.module.css";
import { Unknown } from "../time/Time";
import classes from "./Revocation.module.css";

/** Tasks of a job, each with what came of it: a table, or cards where there is no room for one. */
export function JobItems(props: { items: RevocationItem[] }) {
  if (useNarrow()) {
    return (
      <ul className={cards.list} aria-label="Tasks of this job">
        {props.items.map((item) => (
          <li key={item.uuid} className={cards.card}>
            <span>
              <Outcome item={item} /> <State state={item.taskState} />
            </span>
            <b>{item.name ?? "name not known"}</b>
            <TaskLink uuid={item.uuid} className={classes.uuid} />
            {item.detail ? <span className={classes.note}>{item.detail}</span> : null}
          </li>
        ))}
      </ul>
    );
  }
  return (
    <div className={table.scroll}>
      <table className={`${table.table} ${classes.items}`}>
        <thead>
          <tr>
            {["Name", "Id", "At the preview", "Outcome", "State now"].map((label) => (
              <th key={label} scope="col">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.items.map((item) => (
            <tr key={item.uuid}>
              <td>{item.name ?? <Unknown />}</td>
              <td title={item.uuid}>
                <TaskLink uuid={item.uuid} className={classes.uuid} />
              </td>
              <td>
                <State state={item.state} />
              </td>
              <td className={classes.detail}>
                <Outcome item={item} />
                {item.detail ? <p className={classes.note}>{item.detail}</p> : null}
              </td>
              <td>
                <State state={item.taskState} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Outcome(props: { item: RevocationItem }) {
  const { tone, word, text } = OUTCOMES[props.item.outcome];
  return (
    <span title={text}>
      <Badge tone={tone}>{word}</Badge>
    </span>
  );
}

function State(props: { state: string | null }) {
  return props.state === null ? (
    <Unknown title="the history does not know it" />
  ) : (
    <StateBadge state={props.state} />
  );
}
