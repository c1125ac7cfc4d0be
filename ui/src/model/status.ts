import type { Stance } from "./command";

export interface Notice {
  level: "info" | "warning" | "error";
  text: string;
}

/** Whether what the page shows is true and current. Times are epoch seconds UTC. */
export interface Status {
  ready: boolean;
  state: "connecting" | "connected" | "blind" | "stopped" | "absent";
  broker: string;
  error: string;
  lastEvent: number | null;
  lastProof: number | null;
  /** Seconds between receipt and commit of the newest events. */
  lag: number;
  events: number;
  dropped: Record<string, number>;
  malformed: Record<string, number>;
  reconnects: number;
  openGap: boolean;
  /** Time at the server. */
  now: number;
  /** null: the history can't be read now. */
  storedTasks: number | null;
  storedBytes: number | null;
  /** Retention took finished tasks whose last change was before it; null: none so far. */
  storedSince: number | null;
  notices: Notice[];
}

/** An interval in which events may have been missed; `end` is null while it lasts. */
export interface Gap {
  id: number;
  start: number;
  end: number | null;
  cause: string;
  lossy: boolean;
  detail: string;
}

export interface Settings {
  version: string;
  /** Celery's `timezone`, an IANA name. */
  timezone: string;
  naturalTime: boolean;
  autoRefresh: boolean;
  tasksColumns: string[];
  readOnly: boolean;
  /** Whether commands are let in, and if not, why. */
  commands: Stance;
  /** There is a result backend that can mark a task as to be aborted. */
  canAbort: boolean;
  identity: string | null;
  broker: string;
}

/** How the page is connected to its own server; `paced` and `held`: its address asks for few updates, or for none. */
export type Link = "connecting" | "live" | "polling" | "paced" | "held" | "down" | "off";

const CAUSES: Record<string, string> = {
  "monitor-down": "the monitor was not running",
  "broker-lost": "the connection to the broker was lost",
  overload: "more events came than could be taken in",
  "store-full": "the history could not be written",
};

/** Why events may be missing, in words. */
export function gapReason(gap: Gap): string {
  return CAUSES[gap.cause] ?? gap.cause;
}
