import { sumWorkers } from "../../model/worker";
import { useDrawnRows } from "../table/drawnRows";
import { SortHeader } from "../table/SortHeader";
import table from "../table/Table.module.css";
import { COUNT_COLUMNS } from "./columns";
import { TotalsRow, WorkerRow } from "./WorkerRow";
import classes from "./WorkersTable.module.css";
import { useWorkerRows, type WorkersView } from "./workerRows";

/** Every worker with its counters; searched, filtered and sorted here, drawn only as far as it is in view. */
export function WorkersTable(props: WorkersView) {
  const shown = useWorkerRows(props);
  const { ref, visible, above, below } = useDrawnRows(shown);
  return (
    <div className={table.panel}>
      <div ref={ref} className={`${table.scroll} ${classes.scroll}`}>
        <table className={`${table.table} ${classes.workers}`} aria-rowcount={shown.length + 2}>
          <thead>
            <tr>
              <SortHeader field="hostname" sort={props.sort} onSort={props.onSort}>
                Worker
              </SortHeader>
              <SortHeader field="status" sort={props.sort} onSort={props.onSort}>
                Status
              </SortHeader>
              {COUNT_COLUMNS.map((column) => (
                <SortHeader
                  key={column.field}
                  field={column.field}
                  sort={props.sort}
                  onSort={props.onSort}
                  align="right"
                  descendingFirst
                >
                  {column.label}
                </SortHeader>
              ))}
              <SortHeader
                field="loadavg"
                sort={props.sort}
                onSort={props.onSort}
                align="right"
                descendingFirst
              >
                Load average
              </SortHeader>
            </tr>
          </thead>
          <tbody>
            <Spacer height={above} />
            {visible.map((worker) => (
              <WorkerRow key={worker.hostname} worker={worker} />
            ))}
            <Spacer height={Math.max(0, below)} />
          </tbody>
          <TotalsRow totals={sumWorkers(shown)} all={props.workers.length} />
        </table>
      </div>
    </div>
  );
}

/** Stands for the rows that are not drawn. */
function Spacer(props: { height: number }) {
  if (props.height <= 0) return null;
  return (
    <tr className={table.spacer}>
      <td colSpan={COUNT_COLUMNS.length + 3} style={{ height: props.height }} />
    </tr>
  );
}
