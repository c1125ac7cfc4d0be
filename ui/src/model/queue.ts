/** What is known of a column: "unknown" not now, "unsupported" never from this kind of broker. */
export type Mark = "known" | "unknown" | "unsupported";

export type QueueColumn = "messages" | "ready" | "unacked" | "consumers" | "idleSince" | "oldest";

/** How an age is known: since the task was sent, or at least since its message was first seen. */
export type AgeBasis = "sent" | "first-seen";

/** A queue now. Times are epoch seconds UTC, ages seconds; null is not known (`columns` says why). */
export interface Queue {
  name: string;
  messages: number | null;
  ready: number | null;
  unacked: number | null;
  consumers: number | null;
  idleSince: number | null;
  idleBasis: "broker" | "observed" | null;
  oldestTask: string | null;
  oldestAge: number | null;
  oldestBasis: AgeBasis | null;
  /** Lists with messages, by priority step. */
  priorities: { priority: number; ready: number }[];
  /** Names of the queues that are summed up here. */
  folded: string[];
  exists: boolean | null;
  knownFrom: ("worker" | "config" | "broker" | "history")[];
  columns: Record<QueueColumn, Mark>;
}

/** What this kind of broker can tell. */
export type Capabilities = Record<QueueColumn | "peek" | "purge", boolean>;

export interface QueueList {
  items: Queue[];
  broker: string;
  driver: string;
  capabilities: Capabilities;
  problems: string[];
  time: number;
}

export interface QueueDetail extends Queue {
  capabilities: Capabilities;
  problems: string[];
  time: number;
}

/** A message that lies in a queue, or that a worker holds. null: it does not say. */
export interface QueueMessage {
  /** 1 is the next to be taken; null for one that a worker holds. */
  position: number | null;
  taskId: string | null;
  task: string | null;
  args: string | null;
  kwargs: string | null;
  eta: string | null;
  expires: string | null;
  retries: number | null;
  priority: number | null;
  rootId: string | null;
  parentId: string | null;
  origin: string | null;
  /** Bytes. */
  size: number;
  delivered: number | null;
  age: number | null;
  ageBasis: AgeBasis | null;
  unreadable: string | null;
}

export interface MessagePage {
  queue: string;
  items: QueueMessage[];
  total: number | null;
  cut: boolean;
  /** Why nothing can be shown. */
  reason: string | null;
  time: number;
}

const ORIGINS: Record<Queue["knownFrom"][number], string> = {
  worker: "a worker consumes from it",
  config: "the app's configuration names it",
  broker: "the broker has it",
  history: "seen before",
};

/** Where a queue is known from, in words. */
export function originsOf(queue: Queue): string {
  return queue.knownFrom.map((origin) => ORIGINS[origin]).join(", ");
}

/** Sums over the queues shown; null where one of them is not known. */
export function sumQueues(queues: readonly Queue[]): Pick<Queue, "messages" | "ready" | "unacked"> {
  const sum = (field: "messages" | "ready" | "unacked") =>
    queues.reduce<number | null>((total, queue) => {
      const value = queue[field];
      return total === null || value === null ? null : total + value;
    }, 0);
  return { messages: sum("messages"), ready: sum("ready"), unacked: sum("unacked") };
}
