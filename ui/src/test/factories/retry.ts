import type { RetryPlan } from "../../model/retry";

export function makePlan(change: Partial<RetryPlan> = {}): RetryPlan {
  return {
    uuid: "11111111-2222-3333-4444-555555555555",
    name: "shop.order",
    ended: true,
    possible: true,
    source: "result",
    reason: "",
    args: "(1, 'two')",
    kwargs: "{}",
    serializer: "json",
    queue: "orders",
    queueFrom: "event",
    priority: null,
    headers: [],
    cautions: [],
    edit: { basis: "result", args: '[1, "two"]', kwargs: "{}", reason: "" },
    ...change,
  };
}
