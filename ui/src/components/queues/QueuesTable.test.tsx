import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { makeCapabilities, makeQueue } from "../../test/factories/queues";
import { renderInPage } from "../../test/render";
import { QueueCards } from "./QueueCards";
import { QueuesTable } from "./QueuesTable";

const QUEUES = [
  makeQueue({
    name: "orders",
    messages: 1500,
    ready: 1490,
    unacked: 10,
    oldestAge: 4.2,
    oldestBasis: "sent",
  }),
  makeQueue({ name: "mails", messages: null, ready: 20, unacked: null, consumers: null }),
  makeQueue({
    name: "reports",
    messages: 7,
    ready: 7,
    unacked: 0,
    oldestAge: 61,
    oldestBasis: "first-seen",
  }),
];
const plain = {
  queues: QUEUES,
  capabilities: makeCapabilities(),
  search: "",
  sort: "name",
  onSort: () => undefined,
};
const names = () =>
  screen
    .getAllByRole("row")
    .slice(1, -1)
    .map((row) => within(row).getByRole("rowheader").textContent);

it("has Flower's columns and links each queue to what is in it", async () => {
  await renderInPage(<QueuesTable {...plain} />);
  expect(screen.getAllByRole("columnheader").map((head) => head.textContent)).toEqual([
    "Queue",
    "Messages",
    "Ready",
    "Unacked",
    "Consumers",
    "Idle since",
    "Oldest waits",
  ]);
  expect(screen.getByRole("link", { name: "orders" })).toHaveAttribute("href", "/queue/orders");
});

it("leaves out what this kind of broker never tells", async () => {
  const can = makeCapabilities({ unacked: false, oldest: false });
  await renderInPage(<QueuesTable {...plain} capabilities={can} />);
  expect(screen.queryByRole("columnheader", { name: "Unacked" })).not.toBeInTheDocument();
  expect(screen.queryByRole("columnheader", { name: "Oldest waits" })).not.toBeInTheDocument();
});

it("writes what is not known as a dash, never as 0, also in the sums", async () => {
  await renderInPage(<QueuesTable {...plain} />);
  const row = within(screen.getByRole("row", { name: /mails/ }));
  expect(row.getAllByTitle("not known now")).toHaveLength(3);
  const totals = within(screen.getAllByRole("row").at(-1) as HTMLElement);
  expect(totals.getByText("1,517")).toBeInTheDocument();
  expect(totals.getAllByTitle("not known of every queue")).toHaveLength(2);
});

it("tells an age that is only a lower bound as one", async () => {
  await renderInPage(<QueuesTable {...plain} />);
  expect(screen.getByText("4.20 s")).toBeInTheDocument();
  expect(screen.getByText("≥ 1m 01s")).toBeInTheDocument();
});

it("sorts numbers with the unknown last, and searches names", async () => {
  const onSort = vi.fn();
  await renderInPage(<QueuesTable {...plain} sort="-messages" onSort={onSort} />);
  expect(names()).toEqual(["orders", "reports", "mails"]);
  await userEvent.click(screen.getByRole("button", { name: "Ready" }));
  expect(onSort).toHaveBeenCalledWith("-ready");
});

it("shows only what matches the search", async () => {
  await renderInPage(<QueuesTable {...plain} search="EPO" />);
  expect(names()).toEqual(["reports"]);
  expect(screen.getByText("1 of 3 queues")).toBeInTheDocument();
});

it("has every figure on a card of a narrow screen", async () => {
  await renderInPage(<QueueCards {...plain} />);
  const [first] = within(screen.getByRole("list", { name: "Queues" })).getAllByRole("listitem");
  const terms = within(first as HTMLElement).getAllByRole("term");
  expect(terms.map((term) => term.textContent)).toEqual([
    "Messages",
    "Ready",
    "Unacked",
    "Consumers",
    "Idle since",
    "Oldest waits",
  ]);
});
