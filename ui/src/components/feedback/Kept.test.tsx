import { screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { NOON } from "../../test/factories";
import { renderInPage } from "../../test/render";
import { Kept } from "./Kept";

it("tells up to when tasks have aged out, with the date", async () => {
  await renderInPage(<Kept since={NOON} />);
  expect(screen.getByText(/^Tasks that ended before/)).toHaveTextContent(
    /before 2026-11-22 \d\d:\d\d:\d\d\.\d+ have aged out of the history\.$/,
  );
});

it("tells that none has", async () => {
  await renderInPage(<Kept since={null} />);
  expect(screen.getByText("No task has aged out of the history so far.")).toBeInTheDocument();
});

it("tells nothing while it is not known", async () => {
  await renderInPage(<Kept since={undefined} />);
  expect(screen.queryByText(/aged out/)).not.toBeInTheDocument();
});
