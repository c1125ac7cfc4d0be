import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { makeCapabilities, makeQueue } from "../../test/factories/queues";
import { renderInPage } from "../../test/render";
import { canPurge, PurgeQueue } from "./PurgeQueue";

const makeDetail = (change = {}) => ({
  ...makeQueue({ name: "orders", ready: 1200 }),
  capabilities: makeCapabilities(),
  problems: [],
  time: 0,
  ...change,
});

it("purges only once the queue's name was typed, and says what stays", async () => {
  const send = vi.fn();
  await renderInPage(<PurgeQueue queue={makeDetail()} send={send} />);
  await userEvent.click(screen.getByRole("button", { name: "Purge…" }));
  expect(await screen.findByText(/What waits \(1,200 messages now\)/)).toBeInTheDocument();
  expect(screen.getByText(/What workers hold stays/)).toBeInTheDocument();
  const sure = screen.getByRole("button", { name: "Purge" });
  expect(sure).toBeDisabled();
  await userEvent.type(screen.getByLabelText(/to confirm/), "orders");
  await userEvent.click(sure);
  expect(send).toHaveBeenCalledExactlyOnceWith({ kind: "purge", queue: "orders" });
});

it("is not offered where the broker can't, and not for a sum of queues", () => {
  expect(canPurge(makeDetail())).toBe(true);
  expect(canPurge(makeDetail({ capabilities: makeCapabilities({ purge: false }) }))).toBe(false);
  expect(canPurge(makeDetail({ folded: ["celery_delayed_1"] }))).toBe(false);
});
