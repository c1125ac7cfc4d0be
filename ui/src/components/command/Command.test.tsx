import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { makeAnswer, makeRun } from "../../test/factories/commands";
import { renderInPage } from "../../test/render";
import { CommandLog } from "./CommandLog";
import { Confirm } from "./Confirm";
import { NoCommands } from "./NoCommands";

const said = (worker: string) => ({ worker, text: "ok" });

it("shows a run that waits, and can't be dismissed before it has ended", async () => {
  await renderInPage(<CommandLog runs={[makeRun({ answer: null })]} onDismiss={() => undefined} />);
  expect(screen.getByRole("status")).toHaveTextContent(
    "Grow the pool by 1waitingSent; waiting for an answer…",
  );
  expect(screen.queryByRole("button", { name: "Dismiss" })).not.toBeInTheDocument();
});

it("names who refused and who was silent, and folds many that confirmed", async () => {
  const answer = makeAnswer({
    outcome: "partly",
    confirmed: ["a", "b", "c"].map(said),
    refused: [{ worker: "d", text: "unknown task" }],
    silent: ["e"],
  });
  const onDismiss = vi.fn();
  await renderInPage(<CommandLog runs={[makeRun({ key: 7, answer })]} onDismiss={onDismiss} />);
  expect(screen.getByText("partly")).toBeInTheDocument();
  expect(screen.getByText("3 workers confirmed").closest("details")).not.toHaveAttribute("open");
  expect(screen.getByText(/refused: unknown task/)).toBeInTheDocument();
  expect(screen.getByText(/gave no answer in time; it may still do it/)).toBeInTheDocument();
  await userEvent.click(screen.getByRole("button", { name: "Dismiss" }));
  expect(onDismiss).toHaveBeenCalledWith(7);
});

it("does nothing before the name was typed", async () => {
  const onConfirm = vi.fn();
  await renderInPage(
    <Confirm title="End?" action="End it" typed="w@h" opened onConfirm={onConfirm} onClose={() => undefined}>
      <p>Sure?</p>
    </Confirm>,
  );
  const button = await screen.findByRole("button", { name: "End it" });
  expect(button).toBeDisabled();
  await userEvent.type(screen.getByLabelText(/to confirm/), "w@{Enter}");
  expect(onConfirm).not.toHaveBeenCalled();
  await userEvent.type(screen.getByLabelText(/to confirm/), "h");
  await userEvent.click(button);
  expect(onConfirm).toHaveBeenCalledOnce();
});

it("says why there are no buttons, and what to set", async () => {
  await renderInPage(
    <>
      <NoCommands stance="open" />
      <NoCommands stance="read_only" />
      <NoCommands stance="closed" />
    </>,
  );
  expect(screen.getByText(/read-only mode/)).toHaveTextContent("without read_only");
  expect(screen.getByText(/nobody has to log in/)).toHaveTextContent("FLOWER_UNAUTHENTICATED_API=true");
});
