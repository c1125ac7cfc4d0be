import { screen, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { makeMessage } from "../../test/factories/queues";
import { renderInPage } from "../../test/render";
import { Messages } from "./Messages";

const plain = { queue: "orders", total: 2, cut: false, reason: null, time: 0 };

it("lists messages by place, with arguments and age, and links those that the history knows", async () => {
  const items = [
    makeMessage({ position: 1, taskId: "a", age: 2, ageBasis: "sent" }),
    makeMessage({ position: 2, taskId: "b", kwargs: "{'x': 1}" }),
  ];
  await renderInPage(<Messages page={{ ...plain, items }} held={false} />);
  const [, first, second] = screen.getAllByRole("row") as HTMLElement[];
  expect(first).toHaveTextContent("1.shop.charge");
  expect(within(first as HTMLElement).getByRole("link", { name: "a" })).toHaveAttribute("href", "/task/a");
  expect(second).toHaveTextContent("(1, 2) {'x': 1}");
  expect(within(second as HTMLElement).queryByRole("link")).not.toBeInTheDocument();
  expect(within(second as HTMLElement).getByTitle("not known yet")).toBeInTheDocument();
});

it("says why messages can't be shown", async () => {
  await renderInPage(
    <Messages page={{ ...plain, items: [], total: null, reason: "RabbitMQ does not." }} held={false} />,
  );
  expect(screen.getByText("RabbitMQ does not.")).toBeInTheDocument();
});

it("says what can't be read instead of leaving it out", async () => {
  const items = [makeMessage({ taskId: null, task: null, args: null, kwargs: null, unreadable: "Not one." })];
  await renderInPage(<Messages page={{ ...plain, items }} held={false} />);
  expect(screen.getByText("Not one.")).toBeInTheDocument();
});
