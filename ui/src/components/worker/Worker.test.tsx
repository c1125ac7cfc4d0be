import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { makeControl, makeInspection } from "../../test/factories/commands";
import { renderInPage } from "../../test/render";
import { LimitsTab } from "./LimitsTab";
import { PoolTab } from "./PoolTab";
import { QueuesTab } from "./QueuesTab";
import { WorkerActions } from "./WorkerActions";

const QUEUE = {
  name: "mail",
  routingKey: "mail",
  alias: null,
  exclusive: false,
  durable: true,
  autoDelete: false,
  noAck: false,
  queueArguments: null,
  bindingArguments: null,
};
const names = () => screen.queryAllByRole("button").map((button) => button.textContent);

it("grows the pool by the number given", async () => {
  const send = vi.fn();
  await renderInPage(<PoolTab inspection={makeInspection()} control={makeControl()} send={send} />);
  await userEvent.clear(screen.getByLabelText("Processes"));
  await userEvent.type(screen.getByLabelText("Processes"), "3");
  await userEvent.click(screen.getByRole("button", { name: "Grow" }));
  expect(send).toHaveBeenCalledWith({ kind: "pool_grow", worker: "celery@one", n: 3 });
  expect(screen.getByText("2: 43, 44")).toBeInTheDocument();
});

it("leaves out what the pool can't, and says why", async () => {
  const cannot = {
    pool_grow: "its pool (solo) cannot do that",
    autoscale: "it was not started with --autoscale",
  };
  await renderInPage(<PoolTab inspection={makeInspection()} control={makeControl(cannot)} send={vi.fn()} />);
  expect(names()).not.toContain("Grow");
  expect(
    screen.getByText("This worker can't grow or shrink: its pool (solo) cannot do that."),
  ).toBeInTheDocument();
});

it("has no buttons where commands are not let in", async () => {
  const inspection = makeInspection({ queues: [QUEUE], registered: ["tests.add"] });
  await renderInPage(
    <>
      <PoolTab inspection={inspection} control={makeControl()} send={null} />
      <QueuesTab inspection={inspection} send={null} />
      <LimitsTab inspection={inspection} control={makeControl()} send={null} />
    </>,
  );
  expect(names()).toEqual([]);
  expect(screen.getByRole("link", { name: "mail" })).toBeInTheDocument();
});

it("asks before a consumer is cancelled", async () => {
  const send = vi.fn();
  await renderInPage(<QueuesTab inspection={makeInspection({ queues: [QUEUE] })} send={send} />);
  await userEvent.click(screen.getByRole("button", { name: "Cancel the consumer of mail" }));
  expect(send).not.toHaveBeenCalled();
  await userEvent.click(await screen.findByRole("button", { name: "Cancel consumer" }));
  expect(send).toHaveBeenCalledWith({ kind: "cancel_consumer", worker: "celery@one", queue: "mail" });
});

it("lifts a time limit that is left empty, and refuses a rate that no worker understands", async () => {
  const send = vi.fn();
  const inspection = makeInspection({ registered: ["tests.add [rate_limit=1/s]"] });
  await renderInPage(<LimitsTab inspection={inspection} control={makeControl()} send={send} />);
  await userEvent.click(screen.getByRole("button", { name: "Change the limits of tests.add" }));
  await userEvent.type(await screen.findByLabelText("Starts at most"), "often");
  expect(screen.getByRole("button", { name: "Limit the rate" })).toBeDisabled();
  await userEvent.type(screen.getByLabelText("Hard, seconds"), "30");
  await userEvent.click(screen.getByRole("button", { name: "Limit the time" }));
  expect(send).toHaveBeenCalledWith({
    kind: "time_limit",
    worker: "celery@one",
    task: "tests.add",
    soft: null,
    hard: 30,
  });
});

it("says why a worker has not told something", async () => {
  const inspection = makeInspection({ stats: null, asked: "failed", problem: "connection refused" });
  await renderInPage(<PoolTab inspection={inspection} control={undefined} send={vi.fn()} />);
  expect(screen.getByText("It could not be asked: connection refused.")).toBeInTheDocument();
});

it("leaves out a restart that is not set, and shuts down only by the typed name", async () => {
  const send = vi.fn();
  const control = makeControl({ pool_restart: "worker_pool_restarts is not set" });
  await renderInPage(<WorkerActions hostname="celery@one" control={control} send={send} />);
  expect(names()).toEqual(["Shut down…"]);
  await userEvent.click(screen.getByRole("button", { name: "Shut down…" }));
  await userEvent.type(await screen.findByLabelText(/to confirm/), "celery@one");
  await userEvent.click(screen.getByRole("button", { name: "Shut down" }));
  expect(send).toHaveBeenCalledWith({ kind: "shutdown", worker: "celery@one" });
});
