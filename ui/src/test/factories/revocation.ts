import type { RevocationItem, RevocationJob } from "../../model/revocation";
import { NOON } from ".";

export function makeJob(change: Partial<RevocationJob> = {}): RevocationJob {
  return {
    id: 3,
    state: "running",
    stopping: false,
    created: NOON,
    started: NOON + 5,
    ended: null,
    who: "ann",
    address: "127.0.0.1",
    asked: { name: "shop.order", state: ["PENDING"] },
    total: 1_200,
    states: [
      { state: "PENDING", count: 1_190 },
      { state: "STARTED", count: 10 },
    ],
    leftOut: [{ state: "SUCCESS", count: 70 }],
    terminate: false,
    signal: "",
    outcomes: [
      { outcome: "waiting", count: 700 },
      { outcome: "sent", count: 500 },
    ],
    silent: [],
    detail: "",
    command: 9,
    ...change,
  };
}

export function makeItem(change: Partial<RevocationItem> = {}): RevocationItem {
  return {
    uuid: "11111111-2222-3333-4444-555555555555",
    name: "shop.order",
    state: "PENDING",
    outcome: "revoked",
    detail: "",
    taskState: "PENDING",
    ...change,
  };
}
