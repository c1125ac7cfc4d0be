import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { makeWorker } from "../../test/factories";
import { renderInPage } from "../../test/render";
import { WorkerCards } from "./WorkerCards";

const WORKERS = [
  makeWorker({ hostname: "mail@two", processed: 1500, active: null, loadavg: null }),
  makeWorker({ hostname: "celery@one", status: "lost", processed: 20 }),
];
const plain = { workers: WORKERS, search: "", status: "", sort: "status", onSort: () => undefined };
const cards = () => within(screen.getByRole("list", { name: "Workers" })).getAllByRole("listitem");

it("shows every figure of a worker, in the table's order of workers", async () => {
  await renderInPage(<WorkerCards {...plain} />);
  const [first, second] = cards() as [HTMLElement, HTMLElement];
  expect(within(first).getByRole("link", { name: "celery@one" })).toBeInTheDocument();
  expect(within(first).getByText("lost")).toBeInTheDocument();
  expect(
    within(first)
      .getAllByRole("term")
      .map((term) => term.textContent),
  ).toEqual(["Active", "Processed", "Failed", "Succeeded", "Retried", "Load average"]);
  const figures = within(first).getAllByRole("definition");
  expect(figures.map((figure) => figure.textContent)).toEqual(["1", "20", "2", "7", "1", "0.50  0.40  0.30"]);
  expect(within(second).getAllByText("–")).toHaveLength(2);
  expect(screen.getByText("1,520")).toBeInTheDocument();
});

it("sums and counts what matches", async () => {
  await renderInPage(<WorkerCards {...plain} search="mail" />);
  expect(cards()).toHaveLength(1);
  expect(screen.getByText("1 of 2 workers")).toBeInTheDocument();
});

it("can be sorted without headers: numbers begin with the biggest", async () => {
  const onSort = vi.fn();
  await renderInPage(<WorkerCards {...plain} onSort={onSort} />);
  await userEvent.selectOptions(screen.getByLabelText("Sort by"), "Sort by Processed");
  expect(onSort).toHaveBeenLastCalledWith("-processed");
  await userEvent.click(screen.getByRole("button", { name: /Ascending/ }));
  expect(onSort).toHaveBeenLastCalledWith("-status");
});
