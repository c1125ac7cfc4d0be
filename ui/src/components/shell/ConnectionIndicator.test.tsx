import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import { makeStatus, NOON } from "../../test/factories";
import { renderInPage } from "../../test/render";
import { ConnectionIndicator } from "./ConnectionIndicator";

async function open(since: number | null) {
  await renderInPage(<ConnectionIndicator link="live" status={makeStatus({ storedSince: since })} />);
  await userEvent.click(screen.getByRole("button", { name: /^Monitor:/ }));
  return await screen.findByText("Aged out");
}

it("tells that nothing has aged out", async () => {
  expect((await open(null)).nextSibling).toHaveTextContent("nothing yet");
});

it("tells up to when tasks have aged out", async () => {
  expect((await open(NOON)).nextSibling).toHaveTextContent(/^before 2026-11-22 \d\d:\d\d:\d\d$/);
});
