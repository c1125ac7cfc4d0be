import { describe, expect, it } from "vitest";
import { formatAgo, formatDuration, formatOffset, isZone, momentOf } from "./time";

describe("momentOf", () => {
  it("shows one moment alike to the millisecond in every zone", () => {
    const epoch = 1_795_332_795.123;
    expect(momentOf(epoch, "UTC")).toEqual({ date: "2026-11-22", time: "07:33:15.123" });
    expect(momentOf(epoch, "Asia/Shanghai")).toEqual({ date: "2026-11-22", time: "15:33:15.123" });
    expect(momentOf(epoch, "America/New_York")).toEqual({ date: "2026-11-22", time: "02:33:15.123" });
  });

  it("writes midnight as 00", () => {
    expect(momentOf(1_795_305_600, "UTC").time).toBe("00:00:00.000");
  });

  it("never shows a time that has not come yet", () => {
    expect(momentOf(0.9999, "UTC").time).toBe("00:00:00.999");
  });

  it("knows which zones exist", () => {
    expect(isZone("Europe/Berlin")).toBe(true);
    expect(isZone("Mars/Olympus")).toBe(false);
  });
});

describe("formatDuration", () => {
  it.each([
    [0, "0 ms"],
    [0.0004, "< 1 ms"],
    [-0.0004, "< 1 ms"],
    [-0.012, "−12 ms"],
    [0.012, "12 ms"],
    [0.9999, "1.00 s"],
    [4.214, "4.21 s"],
    [59.999, "1m 00s"],
    [65, "1m 05s"],
    [3723, "1h 02m 03s"],
    [277_200, "3d 05h"],
    [-2, "−2.00 s"],
  ])("writes %s as %s", (seconds, text) => expect(formatDuration(seconds)).toBe(text));
});

describe("formatOffset", () => {
  it.each([
    [0, "+0 ms"],
    [0.0004, "+0 ms"],
    [0.0006, "+1 ms"],
    [65, "+1m 05s"],
    [-3, "+0 ms"],
  ])("writes %s as %s", (seconds, text) => expect(formatOffset(seconds)).toBe(text));
});

describe("formatAgo", () => {
  it.each([
    [0.5, "just now"],
    [12, "12 s ago"],
    [600, "10 min ago"],
    [7200, "2 h ago"],
    [400_000, "4 d ago"],
    [-60, "in 60 s"],
  ])("writes %s seconds as %s", (seconds, text) => expect(formatAgo(1000, 1000 + seconds)).toBe(text));
});
