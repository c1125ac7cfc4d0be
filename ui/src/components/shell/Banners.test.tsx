import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { NOON } from "../../test/factories";
import { renderInPage } from "../../test/render";
import { Banners } from "./Banners";

const GAP = { id: 3, start: NOON, end: NOON + 60, cause: "broker-lost", lossy: true, detail: "" };

it("tells a closed gap from-to with its cause, and can be dismissed", async () => {
  const onDismiss = vi.fn();
  await renderInPage(<Banners gaps={[GAP]} notices={[]} onDismiss={onDismiss} />);
  expect(screen.getByRole("status")).toHaveTextContent(/from 2026-11-22 .* to 2026-11-22 .*broker was lost/);
  await userEvent.click(screen.getByRole("button", { name: "Dismiss" }));
  expect(onDismiss).toHaveBeenCalledWith(GAP);
});

it("tells an open gap as going on, and can't be dismissed", async () => {
  await renderInPage(<Banners gaps={[{ ...GAP, end: null }]} notices={[]} onDismiss={() => undefined} />);
  expect(screen.getByRole("status")).toHaveTextContent(/are being missed since/);
  expect(screen.queryByRole("button")).not.toBeInTheDocument();
});
