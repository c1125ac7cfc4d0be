/** What a worker has answered about itself. null: it has not answered that. */
export interface Inspection {
  hostname: string;
  time: number | null;
  asked: "answered" | "silent" | "failed" | null;
  problem: string;
  stats: Record<string, unknown> | null;
  conf: Record<string, unknown> | null;
  queues: ConsumedQueue[] | null;
  registered: string[] | null;
  active: HeldTask[] | null;
  scheduled: HeldTask[] | null;
  reserved: HeldTask[] | null;
  revoked: string[] | null;
  lengths: Record<"registered" | "active" | "scheduled" | "reserved" | "revoked", number | null>;
}

export interface ConsumedQueue {
  name: string;
  routingKey: string | null;
  alias: string | null;
  exclusive: boolean | null;
  durable: boolean | null;
  autoDelete: boolean | null;
  noAck: boolean | null;
  queueArguments: Record<string, unknown> | null;
  bindingArguments: Record<string, unknown> | null;
}

export interface HeldTask {
  id: string | null;
  name: string | null;
  args: string | null;
  kwargs: string | null;
  eta: string | null;
  started: number | null;
  pid: number | null;
  acknowledged: boolean | null;
}

/** Whether a worker can do something; `possible` is null where nobody knows. */
export interface Ability {
  possible: boolean | null;
  reason: string;
}

export interface WorkerControl {
  hostname: string;
  pool: string | null;
  concurrency: number | null;
  autoscale: Record<string, number> | null;
  queues: string[];
  abilities: Record<string, Ability>;
  time: number | null;
}

/** Why a worker can't do it, as the end of a sentence; "" where it can, or nobody knows. */
export function whyNot(control: WorkerControl | undefined, action: string): string {
  const ability = control?.abilities[action];
  return ability?.possible === false ? ability.reason : "";
}

/** "max-concurrency" as "Max concurrency". */
export function humanize(key: string): string {
  const words = key.replace(/[-_]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A value of a worker's answer on one line. */
export function printValue(value: unknown): string {
  if (value === null || value === undefined) return "none";
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map(printValue).join(", ");
  if (typeof value === "object") {
    const parts = Object.entries(value).map(([key, item]) => `${key}: ${printValue(item)}`);
    return parts.length === 0 ? "none" : parts.join(", ");
  }
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string") return value === "" ? "empty" : value;
  return String(value);
}

/** The object under a key of `stats`, or null where there is none. */
export function statsPart(inspection: Inspection, key: string): Record<string, unknown> | null {
  const value = inspection.stats?.[key];
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

/** The broker as the worker sees it; before Celery 4 it stood under `consumer`. */
export function brokerOf(inspection: Inspection): Record<string, unknown> | null {
  const direct = statsPart(inspection, "broker");
  if (direct) return direct;
  const { broker } = statsPart(inspection, "consumer") ?? {};
  return typeof broker === "object" && broker !== null ? (broker as Record<string, unknown>) : null;
}

const ELSEWHERE = new Set([
  "pool",
  "pid",
  "prefetch_count",
  "broker",
  "consumer",
  "total",
  "rusage",
  "autoscaler",
]);

/** The rest of `stats`, which no other tab shows: uptime, clock, … */
export function otherStats(inspection: Inspection): Record<string, unknown> {
  const entries = Object.entries(inspection.stats ?? {}).filter(([key]) => !ELSEWHERE.has(key));
  return Object.fromEntries(entries);
}

/** How many tasks of each name the worker has taken since its start, the most frequent first. */
export function processedOf(inspection: Inspection): [string, number][] {
  const total = statsPart(inspection, "total") ?? {};
  return Object.entries(total)
    .filter((entry): entry is [string, number] => typeof entry[1] === "number")
    .sort(([a, m], [b, n]) => n - m || a.localeCompare(b));
}

/** "tests.add [rate_limit=10/m]" as the task's name and what is set for it. */
export function taskLimits(text: string): { name: string; settings: string } {
  const at = text.indexOf(" [");
  return at < 0
    ? { name: text, settings: "" }
    : { name: text.slice(0, at), settings: text.slice(at + 2, -1) };
}

export const TABS = ["overview", "pool", "queues", "tasks", "limits", "config", "system", "other"] as const;
export type Tab = (typeof TABS)[number];

/** The tab that a fragment such as Flower's `#tab-pool` names. */
export function tabOf(hash: string): Tab {
  const name = hash.replace(/^#?tab-/, "");
  if (name === "broker") return "system";
  return TABS.find((tab) => tab === name) ?? "overview";
}
