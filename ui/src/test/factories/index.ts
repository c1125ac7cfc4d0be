import type { Status } from "../../model/status";
import type { Attempt, Mark, Task, TaskDetail } from "../../model/task";
import type { Worker } from "../../model/worker";

/** 2026-11-22 09:45:15.123 UTC */
export const NOON = 1_795_340_715.123;

export function makeTask(change: Partial<Task> = {}): Task {
  return {
    uuid: "11111111-2222-3333-4444-555555555555",
    name: "shop.charge",
    state: "SUCCESS",
    finished: true,
    args: "(1, 2)",
    kwargs: "{}",
    result: "3",
    exception: null,
    worker: "celery@one",
    queue: null,
    exchange: null,
    routingKey: null,
    eta: null,
    expires: null,
    retries: 0,
    rootId: null,
    parentId: null,
    client: null,
    sent: null,
    received: NOON,
    started: NOON + 1,
    succeeded: NOON + 3,
    failed: null,
    retried: null,
    revoked: null,
    rejected: null,
    runtime: 2,
    wait: 1,
    clock: 7,
    updated: NOON + 3,
    attempts: 1,
    redelivered: false,
    ...change,
  };
}

export function makeMark(type: string, time: number): Mark {
  return { type, time, hostname: "celery@one", pid: 42, clock: 1 };
}

export function makeAttempt(change: Partial<Attempt> = {}): Attempt {
  return {
    number: 1,
    state: "SUCCESS",
    worker: "celery@one",
    pid: 42,
    received: NOON,
    started: NOON + 1,
    ended: NOON + 3,
    runtime: 2,
    retries: 0,
    redelivered: false,
    exception: null,
    traceback: null,
    marks: [makeMark("received", NOON), makeMark("started", NOON + 1), makeMark("succeeded", NOON + 3)],
    ...change,
  };
}

export function makeDetail(change: Partial<TaskDetail> = {}): TaskDetail {
  return {
    ...makeTask(),
    source: "events",
    sourceNote: "",
    traceback: null,
    firstSeen: NOON,
    notes: [],
    sentMarks: [],
    retryOf: null,
    retriedAs: [],
    timeline: [makeAttempt()],
    children: [],
    ...change,
  };
}

export function makeWorker(change: Partial<Worker> = {}): Worker {
  return {
    hostname: "celery@one",
    status: "online",
    statusReason: "A heartbeat came 1 s ago.",
    pid: 42,
    active: 1,
    processed: 10,
    started: 9,
    succeeded: 7,
    failed: 2,
    retried: 1,
    revoked: 0,
    loadavg: [0.5, 0.4, 0.3],
    freq: 2,
    lastHeartbeat: NOON,
    lastSeen: NOON,
    firstSeen: NOON,
    runStarted: NOON,
    runs: 1,
    software: "py-celery 5.6.0",
    skew: null,
    clock: 1,
    ...change,
  };
}

export function makeStatus(change: Partial<Status> = {}): Status {
  return {
    ready: true,
    state: "connected",
    broker: "redis://localhost:6379/0",
    error: "",
    lastEvent: NOON,
    lastProof: NOON,
    lag: 0.2,
    events: 100,
    dropped: {},
    malformed: {},
    reconnects: 0,
    openGap: false,
    now: NOON,
    storedTasks: 10,
    storedBytes: 1000,
    storedSince: null,
    notices: [],
    ...change,
  };
}
