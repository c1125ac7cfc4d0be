import { expect, it } from "vitest";
import { makeInspection } from "../test/factories/commands";
import { brokerOf, humanize, otherStats, printValue, processedOf, tabOf, taskLimits } from "./inspection";

it("prints values of any shape on one line", () => {
  expect(printValue({ total: 3, all: [1, 2], none: null, on: true, empty: [] })).toBe(
    "total: 3, all: 1, 2, none: none, on: yes, empty: none",
  );
  expect(humanize("max-tasks-per_child")).toBe("Max tasks per child");
});

it("opens the tab that Flower's fragment names", () => {
  expect(["#tab-pool", "tab-broker", "tab-nope", ""].map(tabOf)).toEqual([
    "pool",
    "system",
    "overview",
    "overview",
  ]);
});

it("splits a task's name from what is set for it", () => {
  expect(taskLimits("tests.add [rate_limit=10/m]")).toEqual({
    name: "tests.add",
    settings: "rate_limit=10/m",
  });
  expect(taskLimits("tests.add")).toEqual({ name: "tests.add", settings: "" });
});

it("leaves for 'Other' what no tab shows, and survives odd answers", () => {
  const stats = {
    pool: {},
    total: { b: 1, a: 5, odd: "x" },
    rusage: "N/A",
    uptime: 7,
    consumer: { broker: { port: 1 } },
  };
  const inspection = makeInspection({ stats });
  expect(otherStats(inspection)).toEqual({ uptime: 7 });
  expect(processedOf(inspection)).toEqual([
    ["a", 5],
    ["b", 1],
  ]);
  expect(brokerOf(inspection)).toEqual({ port: 1 });
  expect(processedOf(makeInspection({ stats: null }))).toEqual([]);
});
