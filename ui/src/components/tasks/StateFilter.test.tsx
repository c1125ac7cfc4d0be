import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { renderInPage } from "../../test/render";
import { StateFilter } from "./StateFilter";

const STATES = [
  { state: "SUCCESS", count: 1200 },
  { state: "PROGRESS", count: 3 },
];

it("has Flower's buttons and every other state that some task is in", async () => {
  await renderInPage(<StateFilter states={STATES} counts={STATES} value="" onChange={() => undefined} />);
  const labels = screen.getAllByRole("button").map((button) => button.textContent);
  expect(labels).toEqual(["All1,203", "Started0", "Succeeded1,200", "Failed0", "Retried0", "PROGRESS3"]);
});

it("shows no numbers while they would not equal the filtered list", async () => {
  await renderInPage(
    <StateFilter states={STATES} counts={null} value="SUCCESS" onChange={() => undefined} />,
  );
  expect(screen.getByRole("button", { name: "Succeeded" })).toHaveAttribute("aria-pressed", "true");
  expect(screen.queryByText("1,200")).not.toBeInTheDocument();
});

it("tells the state that was chosen", async () => {
  const onChange = vi.fn();
  await renderInPage(<StateFilter states={STATES} counts={STATES} value="" onChange={onChange} />);
  await userEvent.click(screen.getByRole("button", { name: /Failed/ }));
  expect(onChange).toHaveBeenCalledWith("FAILURE");
});
