import { describe, expect, it } from "vitest";
import {
  type Bucket,
  boundsOf,
  columnsOf,
  lonelyOf,
  peaksOf,
  type QueueBucket,
  queueColumnsOf,
  RANGES,
  rangeOf,
  sumOf,
  tickTexts,
} from "./monitor";

function bucket(start: number, known: Partial<Bucket> = {}): Bucket {
  return {
    start,
    succeeded: 0,
    failed: 0,
    retried: 0,
    revoked: 0,
    rejected: 0,
    runtimeP50: null,
    runtimeP95: null,
    runtimeP99: null,
    waitP50: null,
    waitP95: null,
    ...known,
  };
}

describe("ranges", () => {
  it("fall back to the first where an address names none that is known", () => {
    expect(rangeOf("7d").span).toBe(3600);
    expect(rangeOf("soon")).toBe(RANGES[0]);
    expect(rangeOf(undefined)).toBe(RANGES[0]);
  });

  it("are whole buckets that end with the one that is open", () => {
    const { start, end } = boundsOf(rangeOf("1h"), 7230.5);
    expect([start, end]).toEqual([3660, 7260]);
  });
});

describe("columns", () => {
  const bounds = { start: 0, end: 240 };

  it("hold a place for each bucket, and nothing happened where none is stored", () => {
    const rows = [bucket(60, { succeeded: 3, failed: 1 }), bucket(180, { succeeded: 2 })];
    expect(columnsOf(rows, ["succeeded", "failed"], bounds, 60, 0)).toEqual([
      [0, 60, 120, 180],
      [0, 3, 0, 2],
      [0, 1, 0, 0],
    ]);
  });

  it("leave unknown what was not observed", () => {
    const rows = [bucket(60, { runtimeP50: 0.5 }), bucket(120)];
    expect(columnsOf(rows, ["runtimeP50"], bounds, 60, null)[1]).toEqual([null, 0.5, null, null]);
  });
});

it("sums a count", () => {
  expect(sumOf([bucket(0, { failed: 2 }), bucket(60, { failed: 5 })], "failed")).toBe(7);
});

it("writes the date where it changes, and only the date where ticks are days", () => {
  const evening = Date.UTC(2026, 10, 25, 23, 0) / 1000;
  expect(tickTexts([evening, evening + 1800, evening + 3600], 1800, "UTC")).toEqual([
    "23:00\n11-25",
    "23:30",
    "00:00\n11-26",
  ]);
  expect(tickTexts([evening], 1800, "Europe/Berlin")).toEqual(["00:00\n11-26"]);
  expect(tickTexts([evening, evening + 86_400], 86_400, "UTC")).toEqual(["11-25", "11-26"]);
});

describe("lengths of queues", () => {
  function length(queue: string, start: number, max: number | null): QueueBucket {
    const messages = max === null ? null : { last: 0, min: 0, max, mean: max / 2 };
    return { queue, start, messages, unacked: null, consumers: null, oldest: null };
  }
  const rows = [
    length("a", 0, 2),
    length("b", 0, 9),
    length("a", 60, null),
    length("b", 120, 1),
    length("c", 0, null),
  ];

  it("are told from the longest queue down, unknown ones last", () => {
    expect(peaksOf(rows)).toEqual([
      { queue: "b", peak: 9 },
      { queue: "a", peak: 2 },
      { queue: "c", peak: null },
    ]);
  });

  it("have holes where nothing is known, not zeros", () => {
    const lines = ["a", "b"].map((queue) => ({
      queue,
      figureOf: ({ messages }: QueueBucket) => messages?.max,
    }));
    expect(queueColumnsOf(rows, lines, { start: 0, end: 180 }, 60)).toEqual([
      [0, 60, 120],
      [2, null, null],
      [9, null, 1],
    ]);
  });
});

describe("lonelyOf", () => {
  it("finds values without a neighbour, at the ends too", () => {
    expect(lonelyOf([1, null, 2, 3, null, 0, null, 4])).toEqual([0, 5, 7]);
    expect(lonelyOf([null, null])).toEqual([]);
    expect(lonelyOf([7])).toEqual([0]);
  });
});
