import { formatCount } from "../../model/number";
import type { WorkerTotals } from "../../model/worker";
import { TasksLink } from "../Links";
import classes from "./SummaryCards.module.css";

/** The four numbers of Flower's dashboard. */
export function SummaryCards(props: { totals: WorkerTotals }) {
  const { totals } = props;
  return (
    <div className={classes.cards}>
      <div className={classes.card} data-tone="success">
        <span className={classes.label}>Online workers</span>
        <span className={classes.value}>
          {formatCount(totals.online)}
          {totals.online === totals.workers ? null : (
            <span className={classes.of}> of {formatCount(totals.workers)}</span>
          )}
        </span>
      </div>
      <Card label="Active tasks" value={totals.active} state="STARTED" tone="started" />
      <Card label="Succeeded" value={totals.succeeded} state="SUCCESS" tone="success" />
      <Card label="Failed" value={totals.failed} state="FAILURE" tone="failure" />
    </div>
  );
}

function Card(props: { label: string; value: number; state: string; tone: string }) {
  return (
    <TasksLink state={props.state} className={classes.card}>
      <span className={classes.label} data-tone={props.tone}>
        {props.label}
      </span>
      <span className={classes.value}>{formatCount(props.value)}</span>
    </TasksLink>
  );
}
