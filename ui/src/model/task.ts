/** A task as the page shows it. Times are epoch seconds UTC, durations seconds, unknown is null. */
export interface Task {
  uuid: string;
  name: string | null;
  state: string;
  finished: boolean;
  args: string | null;
  kwargs: string | null;
  result: string | null;
  exception: string | null;
  worker: string | null;
  queue: string | null;
  exchange: string | null;
  routingKey: string | null;
  eta: string | null;
  expires: string | null;
  retries: number | null;
  rootId: string | null;
  parentId: string | null;
  client: string | null;
  sent: number | null;
  received: number | null;
  started: number | null;
  succeeded: number | null;
  failed: number | null;
  retried: number | null;
  revoked: number | null;
  rejected: number | null;
  runtime: number | null;
  wait: number | null;
  clock: number;
  updated: number;
  attempts: number;
  redelivered: boolean;
}

/** One thing that happened, as one event told it. */
export interface Mark {
  time: number;
  /** Event type without `task-`. */
  type: string;
  hostname: string;
  pid: number;
  clock: number;
}

export interface Attempt {
  number: number;
  state: string;
  worker: string;
  pid: number;
  received: number | null;
  started: number | null;
  ended: number | null;
  runtime: number | null;
  retries: number | null;
  redelivered: boolean;
  exception: string | null;
  traceback: string | null;
  marks: Mark[];
}

/** What was done to a task's texts before they were stored. */
export type TaskNote = "repaired" | "redacted" | "truncated";

export interface TaskDetail extends Omit<Task, "updated"> {
  /** Where it is known from. */
  source: "events" | "result_backend";
  /** One sentence about that; "" for events. */
  sourceNote: string;
  updated: number | null;
  traceback: string | null;
  firstSeen: number | null;
  notes: TaskNote[];
  sentMarks: Mark[];
  /** The task that this one repeats, and those that repeat it. */
  retryOf: string | null;
  retriedAs: string[];
  timeline: Attempt[];
  children: string[];
}

/** A count that may have stopped early: then there are at least `value`. */
export interface Total {
  value: number;
  exact: boolean;
}

export interface TaskPage {
  items: Task[];
  /** Cursor of the next page; null on the last. */
  next: string | null;
  total: Total;
}

export interface StateCount {
  state: string;
  count: number;
}

/** What the tasks page asks for. Empty strings mean "any". */
export interface TaskQuery {
  search: string;
  state: string;
  worker: string;
  name: string;
  /** Field, with `-` in front for descending. */
  sort: string;
  limit: number;
  cursor: string;
}

/** Colour family of a state: see styles/tokens.css. */
export type Tone =
  | "success"
  | "failure"
  | "retry"
  | "started"
  | "received"
  | "pending"
  | "revoked"
  | "rejected"
  | "unknown"
  | "custom";

const TONES: Record<string, Tone> = {
  PENDING: "pending",
  RECEIVED: "received",
  STARTED: "started",
  CANCELLED: "revoked",
  RETRY: "retry",
  REJECTED: "rejected",
  REVOKED: "revoked",
  FAILURE: "failure",
  SUCCESS: "success",
  UNKNOWN: "unknown",
};

/** States in the order of a task's life; custom states come after them, by name. */
export const STATE_ORDER = Object.keys(TONES).filter((state) => state !== "UNKNOWN");

export function stateTone(state: string): Tone {
  return TONES[state] ?? "custom";
}

/** Words of Flower's state buttons. */
const STATE_LABELS: Record<string, string> = {
  STARTED: "Started",
  SUCCESS: "Succeeded",
  FAILURE: "Failed",
  RETRY: "Retried",
  RECEIVED: "Received",
  PENDING: "Pending",
  REVOKED: "Revoked",
  REJECTED: "Rejected",
  CANCELLED: "Cancelled",
  UNKNOWN: "Unknown",
};

export function stateLabel(state: string): string {
  return STATE_LABELS[state] ?? state;
}
