import type { Capabilities, Queue, QueueMessage } from "../../model/queue";

export function makeCapabilities(change: Partial<Capabilities> = {}): Capabilities {
  return {
    messages: true,
    ready: true,
    unacked: true,
    consumers: true,
    idleSince: true,
    oldest: true,
    peek: true,
    purge: true,
    ...change,
  };
}

export function makeQueue(change: Partial<Queue> = {}): Queue {
  return {
    name: "celery",
    messages: 0,
    ready: 0,
    unacked: 0,
    consumers: 1,
    idleSince: null,
    idleBasis: null,
    oldestTask: null,
    oldestAge: null,
    oldestBasis: null,
    priorities: [],
    folded: [],
    exists: null,
    knownFrom: ["worker"],
    columns: {
      messages: "known",
      ready: "known",
      unacked: "known",
      consumers: "known",
      idleSince: "unknown",
      oldest: "known",
    },
    ...change,
  };
}

export function makeMessage(change: Partial<QueueMessage> = {}): QueueMessage {
  return {
    position: 1,
    taskId: "11111111-2222-3333-4444-555555555555",
    task: "shop.charge",
    args: "(1, 2)",
    kwargs: "{}",
    eta: null,
    expires: null,
    retries: 0,
    priority: null,
    rootId: null,
    parentId: null,
    origin: null,
    size: 900,
    delivered: null,
    age: null,
    ageBasis: null,
    unreadable: null,
    ...change,
  };
}
