import { memo } from "react";
import type { Worker, WorkerTotals } from "../../model/worker";
import { WorkerLink } from "../Links";
import { WorkerBadge } from "../state/Badge";
import { COUNT_COLUMNS } from "./columns";
import { CountLink, LoadAverage, workerCount } from "./WorkerFigures";
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
      {COUNT_COLUMNS.map((column) => (
        <td
          key={column.field}
          data-align="right"
          data-tone={worker[column.field] ? column.tone : undefined}
          className={classes.count}
        >
          <CountLink column={column} of={worker} hostname={worker.hostname} />
        </td>
      ))}
      <td data-align="right" className={classes.load}>
        <LoadAverage value={worker.loadavg} />
      </td>
    </tr>
  );
});

/** Sums over the rows shown. */
export function TotalsRow(props: { totals: WorkerTotals; all: number }) {
  const { totals, all } = props;
  return (
    <tfoot>
      <tr>
        <th scope="row" className={classes.name}>
          Total
        </th>
        <td className={classes.total}>{workerCount(totals.workers, all)}</td>
        {COUNT_COLUMNS.map((column) => (
          <td
            key={column.field}
            data-align="right"
            data-tone={totals[column.field] ? column.tone : undefined}
            className={classes.count}
          >
            <CountLink column={column} of={totals} />
          </td>
        ))}
        <td />
      </tr>
    </tfoot>
  );
}
