import type { Tone } from "./task";

export const WORKER_STATUSES = ["online", "busy-silent", "lost", "stopped", "unknown"] as const;
export type WorkerStatus = (typeof WORKER_STATUSES)[number];

/** A worker with its counters since the history began. Times are epoch seconds UTC, unknown is null. */
export interface Worker {
  hostname: string;
  status: WorkerStatus;
  /** One sentence that says why this status was given. */
  statusReason: string;
  pid: number | null;
  active: number | null;
  processed: number;
  started: number;
  succeeded: number;
  failed: number;
  retried: number;
  revoked: number;
  loadavg: number[] | null;
  /** Seconds between heartbeats. */
  freq: number | null;
  lastHeartbeat: number | null;
  lastSeen: number | null;
  firstSeen: number;
  runStarted: number | null;
  runs: number;
  software: string | null;
  /** Seconds the worker's clock is ahead of the monitor's. */
  skew: number | null;
  clock: number;
}

export interface WorkerTotals {
  workers: number;
  online: number;
  active: number;
  processed: number;
  started: number;
  succeeded: number;
  failed: number;
  retried: number;
  revoked: number;
}

export interface WorkerList {
  items: Worker[];
  totals: WorkerTotals;
}

export const STATUS_TONES: Record<WorkerStatus, Tone> = {
  online: "success",
  "busy-silent": "retry",
  lost: "failure",
  stopped: "pending",
  unknown: "unknown",
};

/** Worst first: what an operator wants to see on top. */
export const STATUS_RANK: Record<WorkerStatus, number> = {
  lost: 0,
  unknown: 1,
  "busy-silent": 2,
  online: 3,
  stopped: 4,
};

/** Sums over the rows shown; unknown activity counts as none, as in the server's totals. */
export function sumWorkers(workers: readonly Worker[]): WorkerTotals {
  const totals: WorkerTotals = {
    workers: workers.length,
    online: 0,
    active: 0,
    processed: 0,
    started: 0,
    succeeded: 0,
    failed: 0,
    retried: 0,
    revoked: 0,
  };
  for (const worker of workers) {
    if (worker.status === "online" || worker.status === "busy-silent") totals.online += 1;
    totals.active += worker.active ?? 0;
    totals.processed += worker.processed;
    totals.started += worker.started;
    totals.succeeded += worker.succeeded;
    totals.failed += worker.failed;
    totals.retried += worker.retried;
    totals.revoked += worker.revoked;
  }
  return totals;
}
