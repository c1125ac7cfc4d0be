import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { makeWorker } from "../../test/factories";
import { renderInPage } from "../../test/render";
import { WorkersTable } from "./WorkersTable";

const WORKERS = [
  makeWorker({ hostname: "mail@two", status: "online", processed: 1500, active: null, loadavg: null }),
  makeWorker({ hostname: "celery@one", status: "lost", processed: 20 }),
  makeWorker({ hostname: "celery@three", status: "online", processed: 300 }),
];
const plain = { workers: WORKERS, search: "", status: "", sort: "status", onSort: () => undefined };
const names = () =>
  screen
    .getAllByRole("row")
    .slice(1, -1)
    .map((row) => within(row).getByRole("rowheader").textContent);

it("puts the worst status first and breaks ties by name", async () => {
  await renderInPage(<WorkersTable {...plain} />);
  expect(names()).toEqual(["celery@one", "celery@three", "mail@two"]);
});

it("sorts by a number, the biggest first", async () => {
  await renderInPage(<WorkersTable {...plain} sort="-processed" />);
  expect(names()).toEqual(["mail@two", "celery@three", "celery@one"]);
});

it("tells the next order when a header is clicked", async () => {
  const onSort = vi.fn();
  await renderInPage(<WorkersTable {...plain} onSort={onSort} />);
  await userEvent.click(screen.getByRole("button", { name: "Failed" }));
  expect(onSort).toHaveBeenCalledWith("-failed");
});

it("shows and sums only what matches search and status", async () => {
  await renderInPage(<WorkersTable {...plain} search="celery" status="online" />);
  expect(names()).toEqual(["celery@three"]);
  const totals = within(screen.getAllByRole("row").at(-1) as HTMLElement);
  expect(totals.getByText("1 of 3 workers")).toBeInTheDocument();
  expect(totals.getByText("300")).toBeInTheDocument();
});

it("writes what is not known as a dash, never as 0", async () => {
  await renderInPage(<WorkersTable {...plain} search="mail" />);
  const row = screen.getByRole("row", { name: /mail@two/ });
  expect(within(row).getAllByText("–")).toHaveLength(2);
  expect(within(row).getByText("1,500")).toBeInTheDocument();
});

it("links a count to the tasks behind it", async () => {
  await renderInPage(<WorkersTable {...plain} search="three" />);
  const row = screen.getByRole("row", { name: /celery@three/ });
  expect(within(row).getByRole("link", { name: "2" })).toHaveAttribute(
    "href",
    "/tasks?state=FAILURE&worker=celery%40three",
  );
});
