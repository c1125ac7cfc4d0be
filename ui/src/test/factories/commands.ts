import type { AuditRow, CommandAnswer, Run } from "../../model/command";
import type { Inspection, WorkerControl } from "../../model/inspection";
import { NOON } from ".";

export function makeAnswer(change: Partial<CommandAnswer> = {}): CommandAnswer {
  return {
    id: 1,
    time: NOON,
    outcome: "confirmed",
    confirmed: [],
    refused: [],
    silent: [],
    note: "",
    ...change,
  };
}

export function makeRun(change: Partial<Run> = {}): Run {
  return {
    key: 1,
    command: { kind: "pool_grow", worker: "celery@one", n: 1 },
    answer: makeAnswer(),
    error: null,
    ...change,
  };
}

export function makeAuditRow(change: Partial<AuditRow> = {}): AuditRow {
  return {
    id: 1,
    time: NOON,
    ended: NOON + 1,
    who: "ann",
    login: "basic",
    address: "127.0.0.1",
    action: "revoke",
    target: "11111111-2222-3333-4444-555555555555",
    parameters: { terminate: false, signal: "SIGTERM" },
    outcome: "confirmed",
    confirmed: [],
    refused: [],
    silent: [],
    detail: "",
    ...change,
  };
}

export function makeInspection(change: Partial<Inspection> = {}): Inspection {
  return {
    hostname: "celery@one",
    time: NOON,
    asked: "answered",
    problem: "",
    stats: {
      pid: 42,
      prefetch_count: 8,
      pool: { implementation: "prefork", processes: [43, 44] },
      total: {},
    },
    conf: {},
    queues: [],
    registered: [],
    active: [],
    scheduled: [],
    reserved: [],
    revoked: [],
    lengths: { registered: 0, active: 0, scheduled: 0, reserved: 0, revoked: 0 },
    ...change,
  };
}

/** `cannot`: action -> why not; the worker can do all else. */
export function makeControl(cannot: Record<string, string> = {}): WorkerControl {
  const actions = [
    "pool_grow",
    "pool_shrink",
    "pool_restart",
    "autoscale",
    "terminate",
    "soft_time_limit",
    "hard_time_limit",
  ];
  return {
    hostname: "celery@one",
    pool: "prefork",
    concurrency: 2,
    autoscale: null,
    queues: ["celery"],
    abilities: Object.fromEntries(
      actions.map((action) => [action, { possible: !(action in cannot), reason: cannot[action] ?? "" }]),
    ),
    time: NOON,
  };
}
