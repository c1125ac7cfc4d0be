/** The counter columns of the workers table, and the task state whose list each one links to. */
export interface CountColumn {
  field: "active" | "processed" | "failed" | "succeeded" | "retried";
  label: string;
  state: string;
  /** Colour of a number that is not 0. */
  tone?: "failure" | "retry";
}

export const COUNT_COLUMNS: CountColumn[] = [
  { field: "active", label: "Active", state: "STARTED" },
  { field: "processed", label: "Processed", state: "" },
  { field: "failed", label: "Failed", state: "FAILURE", tone: "failure" },
  { field: "succeeded", label: "Succeeded", state: "SUCCESS" },
  { field: "retried", label: "Retried", state: "RETRY", tone: "retry" },
];

export const DEFAULT_WORKER_SORT = "status";

/** What the workers can be sorted by, where there are no headers to click. */
export const WORKER_SORTS = [
  { field: "status", label: "Status" },
  { field: "hostname", label: "Worker" },
  ...COUNT_COLUMNS.map(({ field, label }) => ({ field, label, descendingFirst: true })),
  { field: "loadavg", label: "Load average", descendingFirst: true },
];
