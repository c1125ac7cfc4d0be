import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { jobVerdict, progressOf } from "../../model/revocation";
import { makeItem, makeJob } from "../../test/factories/revocation";
import { renderInPage } from "../../test/render";
import { JobFacts } from "./JobFacts";
import { JobItems } from "./JobItems";
import { JobProgress } from "./JobProgress";
import { RevokeMatching } from "./RevokeMatching";

const FILTER = { search: "", state: "", name: "shop.order", worker: "" };

it("shows what would be revoked, and starts only once the count was typed", async () => {
  const job = makeJob({ state: "preview" });
  const preview = vi.fn(async () => job);
  const start = vi.fn(async () => job);
  const onStarted = vi.fn();
  await renderInPage(
    <RevokeMatching filter={FILTER} preview={preview} start={start} onStarted={onStarted} />,
  );
  await userEvent.click(screen.getByRole("button", { name: "Revoke matching…" }));
  expect(preview).toHaveBeenCalledExactlyOnceWith(FILTER);
  expect(await screen.findByText("1,200 tasks")).toBeInTheDocument();
  expect(screen.getByText(/70 SUCCESS/)).toHaveTextContent("Left out, because they have ended");
  const sure = screen.getByRole("button", { name: "Revoke 1,200 tasks" });
  expect(sure).toBeDisabled();
  await userEvent.click(screen.getByLabelText(/Also end those that run/));
  await userEvent.selectOptions(screen.getByLabelText("Signal"), "SIGKILL");
  await userEvent.type(screen.getByLabelText(/to confirm/), "1200");
  await userEvent.click(sure);
  expect(start).toHaveBeenCalledExactlyOnceWith(job, { terminate: true, signal: "SIGKILL" });
  await vi.waitFor(() => expect(onStarted).toHaveBeenCalledWith(job));
});

it("says why it was refused, and that there is nothing to revoke", async () => {
  const refuse = vi.fn().mockRejectedValueOnce(new Error("More than 20,000 tasks match"));
  const preview = refuse.mockResolvedValue(makeJob({ total: 0, states: [] }));
  await renderInPage(
    <RevokeMatching filter={FILTER} preview={preview} start={vi.fn()} onStarted={vi.fn()} />,
  );
  await userEvent.click(screen.getByRole("button", { name: "Revoke matching…" }));
  expect(await screen.findByRole("alert")).toHaveTextContent("More than 20,000 tasks match");
  await userEvent.click(screen.getByRole("button", { name: "Back" }));
  await userEvent.click(screen.getByRole("button", { name: "Revoke matching…" }));
  expect(await screen.findByText(/nothing to revoke/)).toBeInTheDocument();
});

it("tells how far a job is, and what came of its tasks", async () => {
  const ended = makeJob({
    state: "done",
    silent: ["w2@h"],
    outcomes: [
      { outcome: "revoked", count: 1_100 },
      { outcome: "failed", count: 100 },
    ],
  });
  await renderInPage(
    <>
      <JobProgress job={makeJob()} />
      <JobFacts job={ended} />
      <JobItems items={[makeItem({ outcome: "failed", detail: "not confirmed by w2@h" })]} />
    </>,
  );
  expect(screen.getByRole("progressbar")).toHaveAttribute("aria-valuenow", "20");
  expect(screen.getByRole("list", { name: "Outcomes" })).toHaveTextContent("sent 500not sent yet 700");
  expect(screen.getByText("name: shop.order · state: PENDING")).toBeInTheDocument();
  expect(screen.getByText(/did not confirm/)).toHaveTextContent("w2@h");
  expect(screen.getByText("not confirmed by w2@h")).toBeInTheDocument();
  expect(progressOf(ended)).toBe(1);
  expect(jobVerdict(ended)).toEqual({ tone: "retry", word: "done, some failed" });
});
