import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { makeDetail } from "../../test/factories";
import { makeAuditRow } from "../../test/factories/commands";
import { renderInPage } from "../../test/render";
import { RevocationSection } from "./RevocationSection";
import { TaskActions } from "./TaskActions";

const running = makeDetail({ state: "STARTED", finished: false });
const names = () => screen.queryAllByRole("button").map((button) => button.textContent);

it("terminates with the signal that was chosen, after it was asked", async () => {
  const send = vi.fn();
  await renderInPage(<TaskActions task={running} whyNotTerminate="" canAbort send={send} />);
  expect(names()).toEqual(["Revoke…", "Terminate…", "Abort…"]);
  await userEvent.click(screen.getByRole("button", { name: "Terminate…" }));
  await userEvent.selectOptions(await screen.findByLabelText("Signal"), "SIGKILL");
  expect(send).not.toHaveBeenCalled();
  await userEvent.click(screen.getByRole("button", { name: "Terminate" }));
  expect(send).toHaveBeenCalledWith({
    kind: "revoke",
    uuid: running.uuid,
    terminate: true,
    signal: "SIGKILL",
  });
});

it("leaves out what can't be done, and says why", async () => {
  await renderInPage(
    <TaskActions
      task={running}
      whyNotTerminate="its pool (threads) cannot do that"
      canAbort={false}
      send={vi.fn()}
    />,
  );
  expect(names()).toEqual(["Revoke…"]);
  expect(screen.getByText(/can't be terminated where it runs: its pool \(threads\)/)).toBeInTheDocument();
});

it("calls a revocation requested until all workers know it", async () => {
  const command = makeAuditRow({ outcome: "partly", silent: ["celery@two"] });
  await renderInPage(
    <RevocationSection
      revocation={{ state: "requested", taskState: "RECEIVED", command }}
      isRunning={false}
    />,
  );
  expect(screen.getByText("requested")).toBeInTheDocument();
  expect(screen.getByText(/gave no answer in time/)).toBeInTheDocument();
  expect(screen.getByText(/by ann from 127.0.0.1/)).toBeInTheDocument();
});

it("does not say that a running task stops by being revoked", async () => {
  const revocation = { state: "flagged", taskState: "STARTED", command: makeAuditRow() } as const;
  await renderInPage(<RevocationSection revocation={revocation} isRunning />);
  expect(screen.getByText(/It runs on/)).toBeInTheDocument();
});
