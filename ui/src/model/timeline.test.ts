import { expect, it } from "vitest";
import { makeAttempt, makeDetail, makeMark, NOON } from "../test/factories";
import { axisOf, barsOf } from "./timeline";

it("spans from the first mark to the last", () => {
  const task = makeDetail({ sentMarks: [makeMark("sent", NOON - 1)] });
  expect(axisOf(task, NOON + 99)).toEqual({ start: NOON - 1, end: NOON + 3 });
});

it("grows with the clock while the task runs", () => {
  const running = makeAttempt({ state: "STARTED", ended: null, marks: [makeMark("received", NOON)] });
  const task = makeDetail({ finished: false, state: "STARTED", timeline: [running] });
  expect(axisOf(task, NOON + 60).end).toBe(NOON + 60);
});

it("splits an attempt into waiting and running", () => {
  const [wait, run] = barsOf(makeAttempt(), { start: NOON, end: NOON + 4 }, true);
  expect(wait).toMatchObject({ kind: "wait", start: 0, end: 0.25 });
  expect(run).toMatchObject({ kind: "run", end: 0.75, isOpen: false });
});

it("draws no running bar for an earlier attempt whose end no event told", () => {
  const lost = makeAttempt({ ended: null });
  expect(barsOf(lost, { start: NOON, end: NOON + 4 }, false).map(({ kind }) => kind)).toEqual(["wait"]);
});
