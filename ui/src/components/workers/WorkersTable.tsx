import {
  columnFilteringFeature,
  createColumnHelper,
  createFilteredRowModel,
  createSortedRowModel,
  filterFn_equalsString,
  globalFilteringFeature,
  rowSortingFeature,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import { STATUS_RANK, sumWorkers, type Worker } from "../../model/worker";
import { SortHeader, sortOf } from "../table/SortHeader";
import table from "../table/Table.module.css";
import { COUNT_COLUMNS } from "./columns";
import { TotalsRow, WorkerRow } from "./WorkerRow";
import classes from "./WorkersTable.module.css";

/** px; as --row-height in styles/tokens.css. */
const ROW_HEIGHT = 34;
/** Up to here every row is in the document, so that the browser's own search finds it. */
const VIRTUAL_FROM = 150;

const features = tableFeatures({
  columnFilteringFeature,
  globalFilteringFeature,
  rowSortingFeature,
  filteredRowModel: createFilteredRowModel(),
  sortedRowModel: createSortedRowModel(),
  filterFns: { equalsString: filterFn_equalsString },
});
const helper = createColumnHelper<typeof features, Worker>();
const unknownLast = (value: number | null | undefined) => value ?? undefined;
const columns = helper.columns([
  helper.accessor("hostname", { id: "hostname" }),
  helper.accessor("status", {
    id: "status",
    filterFn: "equalsString",
    sortFn: (a, b) => STATUS_RANK[a.original.status] - STATUS_RANK[b.original.status],
  }),
  ...COUNT_COLUMNS.map(({ field }) =>
    helper.accessor((worker) => unknownLast(worker[field]), { id: field, sortUndefined: "last" }),
  ),
  helper.accessor((worker) => unknownLast(worker.loadavg?.[0]), { id: "loadavg", sortUndefined: "last" }),
]);

/** Every worker with its counters; searched, filtered and sorted here, drawn only as far as it is in view. */
export function WorkersTable(props: {
  workers: Worker[];
  search: string;
  status: string;
  sort: string;
  onSort: (sort: string) => void;
}) {
  const { field, descending } = sortOf(props.sort);
  const model = useTable({
    features,
    columns,
    data: props.workers,
    getRowId: (worker) => worker.hostname,
    globalFilterFn: (row, _column, text: string) => row.original.hostname.toLowerCase().includes(text),
    getColumnCanGlobalFilter: () => true,
    state: {
      globalFilter: props.search.trim().toLowerCase(),
      columnFilters: props.status ? [{ id: "status", value: props.status }] : [],
      sorting: [
        { id: field, desc: descending },
        { id: "hostname", desc: false },
      ],
    },
  });
  const rows = model.getRowModel().rows;
  const shown = useMemo(() => rows.map((row) => row.original), [rows]);
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
