import { screen, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { makeTask } from "../../test/factories";
import { renderInPage } from "../../test/render";
import { columnsOf, TASK_COLUMNS } from "./columns";
import { TasksTable } from "./TasksTable";

const plain = { sort: "-received", onSort: () => undefined, listId: "x" };

it("shows the chosen columns in the chosen order and passes over unknown ones", async () => {
  await renderInPage(
    <TasksTable {...plain} tasks={[]} columns={columnsOf(["state", "nope", "name", "state"])} />,
  );
  expect(screen.getAllByRole("columnheader").map((cell) => cell.textContent)).toEqual(["State", "Name"]);
});

it("has every column that Flower has", () => {
  const flower =
    "name uuid state args kwargs result received started runtime worker exchange routing_key retries revoked exception expires eta";
  expect(TASK_COLUMNS.map(({ id }) => id)).toEqual(expect.arrayContaining(flower.split(" ")));
});

it("links name and id to the task and the worker to its page", async () => {
  const task = makeTask({ worker: "celery@one/two" });
  await renderInPage(
    <TasksTable {...plain} tasks={[task]} columns={columnsOf(["name", "uuid", "worker"])} />,
  );
  const links = screen.getAllByRole("link").map((link) => link.getAttribute("href"));
  expect(links).toEqual([`/task/${task.uuid}`, `/task/${task.uuid}`, "/worker/celery%40one/two"]);
});

it("shows hostile texts as texts", async () => {
  const evil = "<img src=x onerror=alert(1)>";
  const task = makeTask({ name: evil, args: evil, worker: evil });
  await renderInPage(
    <TasksTable {...plain} tasks={[task]} columns={columnsOf(["name", "args", "worker"])} />,
  );
  expect(screen.getAllByText(evil)).toHaveLength(3);
  expect(document.querySelector("img")).toBeNull();
});

it("tells a missing worker from an unknown result", async () => {
  const task = makeTask({ worker: null, result: null });
  await renderInPage(<TasksTable {...plain} tasks={[task]} columns={columnsOf(["worker", "result"])} />);
  const row = within(screen.getAllByRole("row")[1] as HTMLElement);
  expect(row.getByTitle("no worker has taken it yet")).toBeInTheDocument();
  expect(row.getByTitle("not known")).toBeInTheDocument();
});
