import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef } from "react";
import { sumWorkers } from "../../model/worker";
import { SortHeader } from "../table/SortHeader";
import table from "../table/Table.module.css";
import { COUNT_COLUMNS } from "./columns";
import { TotalsRow, WorkerRow } from "./WorkerRow";
import classes from "./WorkersTable.module.css";
import { useWorkerRows, VIRTUAL_FROM, type WorkersView } from "./workerRows";

/** px; as --row-height in styles/tokens.css. */
const ROW_HEIGHT = 34;

/** Every worker with its counters; searched, filtered and sorted here, drawn only as far as it is in view. */
export function WorkersTable(props: WorkersView) {
  const shown = useWorkerRows(props);
  const scroll = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
    enabled: shown.length >= VIRTUAL_FROM,
  });
  const items = virtual.getVirtualItems();
  const visible = shown.length < VIRTUAL_FROM ? shown : items.flatMap(({ index }) => shown[index] ?? []);
  const above = items[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    <div className={table.panel}>
      <div ref={scroll} className={`${table.scroll} ${classes.scroll}`}>
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
