import { expect, describe as group, it } from "vitest";
import { makeAnswer, makeRun } from "../test/factories/commands";
import { describe, isRate, outcomeVerdict, printParameters, targetKind, verdictOf } from "./command";

group("verdictOf", () => {
  it("says that it waits until there is an answer", () => {
    expect(verdictOf(makeRun({ answer: null })).word).toBe("waiting");
  });

  it("never reads silence as success", () => {
    const verdict = verdictOf(makeRun({ answer: makeAnswer({ outcome: "silent" }) }));
    expect(verdict).toMatchObject({ tone: "retry", word: "no answer" });
    expect(verdictOf(makeRun({ answer: makeAnswer({ outcome: "partly" }) })).tone).not.toBe("success");
  });

  it("calls a shutdown requested until the worker has said goodbye", () => {
    const answer = makeAnswer({ outcome: "requested" });
    const { word, text } = verdictOf(makeRun({ command: { kind: "shutdown", worker: "w" }, answer }));
    expect(word).toBe("requested");
    expect(text).toMatch(/says goodbye/);
  });

  it("adds what a confirmation does not mean", () => {
    const answer = makeAnswer({ outcome: "confirmed", note: "limits come later" });
    expect(verdictOf(makeRun({ answer })).text).toBe("Limits come later.");
  });

  it("tells a command that was not sent from one of which nobody knows", () => {
    const word = (status: number, message = "x") =>
      verdictOf(makeRun({ answer: null, error: { status, message } })).word;
    expect([409, 401, 403, 503, 0].map((status) => word(status))).toEqual([
      "refused",
      "not allowed",
      "not allowed",
      "not sent",
      "unknown",
    ]);
    const { text } = verdictOf(
      makeRun({ answer: null, error: { status: 409, message: "Not sent: no pool." } }),
    );
    expect(text).toBe("Not sent: no pool.");
  });
});

it("describes a command in words", () => {
  expect(describe({ kind: "pool_grow", worker: "w", n: 2 })).toBe("Grow the pool by 2");
  expect(describe({ kind: "revoke", uuid: "x", terminate: true, signal: "SIGKILL" })).toBe(
    "Terminate with SIGKILL",
  );
  expect(describe({ kind: "time_limit", worker: "w", task: "t", soft: 5, hard: null })).toBe(
    "Time limits of t: soft 5 s, hard none",
  );
});

it("knows rates, targets, parameters and outcomes of later versions", () => {
  expect(["10/m", "0", "0.5/s", "often", "10/d", ""].map(isRate)).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
  expect(["revoke", "rate_limit", "pool_grow"].map(targetKind)).toEqual(["task", "name", "worker"]);
  expect(printParameters({ n: 2, signal: "SIGTERM", soft: null })).toBe("n=2, signal=SIGTERM, soft=null");
  expect(outcomeVerdict("odd" as never).word).toBe("requested");
});
