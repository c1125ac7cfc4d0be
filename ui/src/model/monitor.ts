/** Time buckets of the Monitor page. Pure. */
import { momentOf } from "./time";

/** What happened in one bucket; times in seconds, null where nothing was observed. */
export interface Bucket {
  /** Epoch seconds, a multiple of the span. */
  start: number;
  succeeded: number;
  failed: number;
  retried: number;
  revoked: number;
  rejected: number;
  runtimeP50: number | null;
  runtimeP95: number | null;
  runtimeP99: number | null;
  waitP50: number | null;
  waitP95: number | null;
}

/** One figure within a bucket. */
export interface Spread {
  last: number;
  min: number;
  max: number;
  mean: number;
}

/** A queue within a bucket; null: nothing was known of that then. */
export interface QueueBucket {
  queue: string;
  start: number;
  messages: Spread | null;
  unacked: Spread | null;
  consumers: Spread | null;
  /** Seconds. */
  oldest: Spread | null;
}

export interface Range {
  id: string;
  label: string;
  /** Seconds. */
  length: number;
  /** Width of a bucket, seconds: 60, 3600 or 86400. */
  span: number;
  per: string;
}

/** Minutes are kept for two days, hours for ninety; of a worker for 26 hours and 32 days. */
export const RANGES: readonly Range[] = [
  { id: "1h", label: "1 hour", length: 3600, span: 60, per: "minute" },
  { id: "6h", label: "6 hours", length: 6 * 3600, span: 60, per: "minute" },
  { id: "24h", label: "24 hours", length: 86_400, span: 60, per: "minute" },
  { id: "7d", label: "7 days", length: 7 * 86_400, span: 3600, per: "hour" },
  { id: "30d", label: "30 days", length: 30 * 86_400, span: 3600, per: "hour" },
  { id: "1y", label: "1 year", length: 365 * 86_400, span: 86_400, per: "day" },
];

const DEFAULT_RANGE = RANGES[0] as Range;

export function rangeOf(id: string | undefined): Range {
  return RANGES.find((range) => range.id === id) ?? DEFAULT_RANGE;
}

/** The bucket that `now` is in, and the first one of the range: whole buckets, the last of them still open. */
export function boundsOf(range: Range, now: number): { start: number; end: number } {
  const end = Math.floor(now / range.span) * range.span + range.span;
  return { start: end - range.length, end };
}

/** A column for each series over all buckets from start to end: where none is stored, nothing happened. */
export function columnsOf<K extends keyof Bucket>(
  buckets: readonly Bucket[],
  names: readonly K[],
  bounds: { start: number; end: number },
  span: number,
  absent: number | null,
): [number[], ...(number | null)[][]] {
  const byStart = new Map(buckets.map((bucket) => [bucket.start, bucket]));
  const starts: number[] = [];
  for (let start = bounds.start; start < bounds.end; start += span) starts.push(start);
  const columns = names.map((name) => starts.map((start) => byStart.get(start)?.[name] ?? absent));
  return [starts, ...columns];
}

/** Queues with the most that ever lay in each, the longest first; null where that is not known. */
export function peaksOf(buckets: readonly QueueBucket[]): { queue: string; peak: number | null }[] {
  const peaks = new Map<string, number | null>();
  for (const { queue, messages } of buckets) {
    const peak = peaks.get(queue) ?? null;
    peaks.set(queue, messages === null ? peak : Math.max(messages.max, peak ?? 0));
  }
  return [...peaks]
    .map(([queue, peak]) => ({ queue, peak }))
    .sort((a, b) => (b.peak ?? -1) - (a.peak ?? -1) || (a.queue < b.queue ? -1 : 1));
}

export interface Line {
  queue: string;
  figureOf: (bucket: QueueBucket) => number | null | undefined;
}

/** A column for each line over all buckets from start to end: where none is stored, nothing is known. */
export function queueColumnsOf(
  buckets: readonly QueueBucket[],
  lines: readonly Line[],
  bounds: { start: number; end: number },
  span: number,
): [number[], ...(number | null)[][]] {
  const starts: number[] = [];
  for (let start = bounds.start; start < bounds.end; start += span) starts.push(start);
  const columns = lines.map(({ queue, figureOf }) => {
    const own = buckets.filter((bucket) => bucket.queue === queue);
    const byStart = new Map(own.map((bucket) => [bucket.start, figureOf(bucket) ?? null]));
    return starts.map((start) => byStart.get(start) ?? null);
  });
  return [starts, ...columns];
}

/** The sum of one count over all buckets. */
export function sumOf(
  buckets: readonly Bucket[],
  name: "succeeded" | "failed" | "retried" | "revoked" | "rejected",
) {
  return buckets.reduce((total, bucket) => total + bucket[name], 0);
}

const DAY = 86_400;

/** What stands at the ticks of a time axis: the time, and below it the date where it is another than before. */
export function tickTexts(ticks: readonly number[], step: number, zone: string): string[] {
  let before = "";
  return ticks.map((tick) => {
    const { date, time } = momentOf(tick, zone);
    const day = date.slice(5);
    if (step >= DAY) return day;
    const text = day === before ? time.slice(0, 5) : `${time.slice(0, 5)}\n${day}`;
    before = day;
    return text;
  });
}

/** Where a value stands alone: a line has no length there, and would not be seen. */
export function lonelyOf(values: ArrayLike<number | null | undefined>): number[] {
  const has = (index: number) => values[index] !== null && values[index] !== undefined;
  return Array.from(values, (_, index) => index).filter(
    (index) => has(index) && !has(index - 1) && !has(index + 1),
  );
}
