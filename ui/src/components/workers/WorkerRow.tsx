import { memo } from "react";
import { formatCount } from "../../model/number";
import type { Worker, WorkerTotals } from "../../model/worker";
import { TasksLink, WorkerLink } from "../Links";
import { WorkerBadge } from "../state/Badge";
import { Unknown } from "../time/Time";
import { COUNT_COLUMNS } from "./columns";
import classes from "./WorkersTable.module.css";

/** One worker. Renders again only when the worker itself changed. */
export const WorkerRow = memo(function WorkerRow(props: { worker: Worker }) {
  const { worker } = props;
  return (
    <tr>
      <th scope="row" className={classes.name}>
        <WorkerLink hostname={worker.hostname} title={worker.hostname} />
      </th>
      <td>
        <WorkerBadge status={worker.status} reason={worker.statusReason} />
      </td>
      {COUNT_COLUMNS.map(({ field, state, tone }) => {
        const value = worker[field];
        return (
          <td key={field} data-align="right" data-tone={value ? tone : undefined} className={classes.count}>
            {value === null ? (
              <Unknown title="no heartbeat has told it" />
            ) : (
              <TasksLink worker={worker.hostname} state={state || undefined}>
                {formatCount(value)}
              </TasksLink>
            )}
          </td>
        );
      })}
      <td data-align="right" className={classes.load}>
        {worker.loadavg === null ? (
          <Unknown title="no heartbeat has told it" />
        ) : (
          worker.loadavg.map((load) => load.toFixed(2)).join("  ")
        )}
      </td>
    </tr>
  );
});

/** Sums over the rows shown. */
export function TotalsRow(props: { totals: WorkerTotals; all: number }) {
  const { totals, all } = props;
  const count =
    totals.workers === all ? formatCount(all) : `${formatCount(totals.workers)} of ${formatCount(all)}`;
  return (
    <tfoot>
      <tr>
        <th scope="row" className={classes.name}>
          Total
        </th>
        <td className={classes.total}>
          {count} {all === 1 ? "worker" : "workers"}
        </td>
        {COUNT_COLUMNS.map(({ field, state, tone }) => (
          <td
            key={field}
            data-align="right"
            data-tone={totals[field] ? tone : undefined}
            className={classes.count}
          >
            <TasksLink state={state || undefined}>{formatCount(totals[field])}</TasksLink>
          </td>
        ))}
        <td />
      </tr>
    </tfoot>
  );
}
