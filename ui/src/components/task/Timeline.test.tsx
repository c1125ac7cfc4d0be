import { screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { makeAttempt, makeDetail, NOON } from "../../test/factories";
import { renderInPage } from "../../test/render";
import { Timeline } from "./Timeline";

it("shows each attempt with its worker, lengths and how it ended", async () => {
  const first = makeAttempt({ state: "RETRY", exception: "OSError('busy')", traceback: "Traceback: busy" });
  const second = makeAttempt({ number: 2, worker: "celery@two", redelivered: true, received: NOON + 10 });
  await renderInPage(<Timeline task={makeDetail({ timeline: [first, second] })} />);
  expect(screen.getByText("Attempt 1")).toBeInTheDocument();
  expect(screen.getByText("OSError('busy')")).toBeInTheDocument();
  expect(screen.getByRole("link", { name: "celery@two" })).toBeInTheDocument();
  expect(screen.getByText("redelivered")).toBeInTheDocument();
  expect(screen.getAllByText("1.00 s").length).toBeGreaterThan(0);
});

it("says so when a task was sent and nobody received it", async () => {
  const mark = { time: NOON, type: "sent", hostname: "gen1@web", pid: 1, clock: 1 };
  await renderInPage(<Timeline task={makeDetail({ timeline: [], sentMarks: [mark] })} />);
  expect(screen.getByText(/no worker has told that it received/)).toBeInTheDocument();
});
