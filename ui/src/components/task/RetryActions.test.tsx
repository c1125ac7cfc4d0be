import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { jsonProblem, layOutJson, type RetryPlan } from "../../model/retry";
import { requestOf } from "../../services/commands";
import { makePlan } from "../../test/factories/retry";
import { renderInPage } from "../../test/render";
import { RetryAsItWas } from "./RetryAsItWas";
import { RetryWithEdits } from "./RetryWithEdits";

async function ask(plan: Partial<RetryPlan>, state = "FAILURE") {
  const [onConfirm, onEdit] = [vi.fn(), vi.fn()];
  await renderInPage(
    <RetryAsItWas
      plan={makePlan(plan)}
      state={state}
      onClose={vi.fn()}
      onEdit={onEdit}
      onConfirm={onConfirm}
    />,
  );
  return { onConfirm, onEdit };
}

it("says where the arguments are from, and sends them where they came from", async () => {
  const { onConfirm } = await ask({ cautions: ["Mind this."] }, "SUCCESS");
  expect(screen.getByText(/its result, which keeps them/)).toBeInTheDocument();
  expect(screen.getByText(/It has succeeded/)).toBeInTheDocument();
  expect(screen.getByText("orders (as its task-sent event said)")).toBeInTheDocument();
  expect(screen.getByText("Mind this.")).toBeInTheDocument();
  await userEvent.click(screen.getByRole("button", { name: "Retry" }));
  expect(onConfirm).toHaveBeenCalledWith(null);
});

it("offers only edits where they are not known, with the reason", async () => {
  const { onEdit } = await ask({ source: null, serializer: null, possible: false, reason: "It is gone." });
  expect(screen.getByText("It is gone.")).toBeInTheDocument();
  expect(screen.queryByRole("button", { name: "Retry" })).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: "Retry with edits…" }));
  expect(onEdit).toHaveBeenCalled();
});

it("asks for the queue that nobody knows", async () => {
  const { onConfirm } = await ask({ queue: null, queueFrom: null });
  await userEvent.type(screen.getByRole("textbox", { name: /Queue/ }), "slow");
  await userEvent.click(screen.getByRole("button", { name: "Retry" }));
  expect(onConfirm).toHaveBeenCalledWith("slow");
});

it("marks the printed form, and sends only JSON, as it was written", async () => {
  const onConfirm = vi.fn();
  const edit = { basis: "printed", args: "[12345678901234567890]", kwargs: "{}", reason: "" } as const;
  await renderInPage(<RetryWithEdits plan={makePlan({ edit })} onClose={vi.fn()} onConfirm={onConfirm} />);
  expect(screen.getByText("From the printed form: check it.")).toBeInTheDocument();
  const kwargs = screen.getByRole("textbox", { name: /Keyword/ });
  await userEvent.clear(kwargs);
  await userEvent.type(kwargs, "[[1]");
  expect(screen.getByText(/Not an object/)).toBeInTheDocument();
  expect(screen.getByRole("button", { name: "Send" })).toBeDisabled();
  await userEvent.clear(kwargs);
  await userEvent.type(kwargs, "{{}");
  await userEvent.click(screen.getByRole("button", { name: "Send" }));
  expect(onConfirm).toHaveBeenCalledWith("orders", { args: "[12345678901234567890]", kwargs: "{}" });
  const [queue, edited] = onConfirm.mock.calls[0] ?? [];
  expect(requestOf({ kind: "retry", uuid: "a/b", queue, edited })).toEqual({
    path: "tasks/a%2Fb/retry",
    body: '{"args":[12345678901234567890],"kwargs":{},"queue":"orders"}',
  });
});

it("says why nothing is filled in", async () => {
  const edit = { basis: null, args: null, kwargs: null, reason: "They were cut off." } as const;
  await renderInPage(<RetryWithEdits plan={makePlan({ edit })} onClose={vi.fn()} onConfirm={vi.fn()} />);
  expect(screen.getByText(/They were cut off/)).toBeInTheDocument();
  expect(screen.getByRole("button", { name: "Send" })).toBeDisabled();
});

it("lays JSON out without changing what it says", () => {
  const text =
    '[{"a": "x, [y] \\" {", "b": [1.0, 12345678901234567890, {}, []]}, "花", null, true, "…………………"]';
  const laidOut = layOutJson(text);
  expect(JSON.parse(laidOut)).toEqual(JSON.parse(text));
  expect(laidOut.split("\n").length).toBeGreaterThan(8);
  expect(laidOut).toContain("1.0");
  expect(laidOut).toContain("12345678901234567890");
  expect(jsonProblem("[", "array")).toMatch(/^Not JSON/);
  expect(jsonProblem("{}", "array")).toMatch(/^Not an array/);
  expect(jsonProblem("null", "object")).toMatch(/^Not an object/);
});
