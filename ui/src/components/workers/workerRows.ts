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
import { useMemo } from "react";
import { STATUS_RANK, type Worker } from "../../model/worker";
import { sortOf } from "../table/SortHeader";
import { COUNT_COLUMNS } from "./columns";

/** Which workers to show, and in what order. */
export interface WorkersView {
  workers: Worker[];
  search: string;
  status: string;
  sort: string;
  onSort: (sort: string) => void;
}

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

/** The workers that match search and status, in order; ties go by name. */
export function useWorkerRows(view: WorkersView): Worker[] {
  const { field, descending } = sortOf(view.sort);
  const model = useTable({
    features,
    columns,
    data: view.workers,
    getRowId: (worker) => worker.hostname,
    globalFilterFn: (row, _column, text: string) => row.original.hostname.toLowerCase().includes(text),
    getColumnCanGlobalFilter: () => true,
    state: {
      globalFilter: view.search.trim().toLowerCase(),
      columnFilters: view.status ? [{ id: "status", value: view.status }] : [],
      sorting: [
        { id: field, desc: descending },
        { id: "hostname", desc: false },
      ],
    },
  });
  const { rows } = model.getRowModel();
  return useMemo(() => rows.map((row) => row.original), [rows]);
}
