import type { Command, CommandAnswer } from "../model/command";
import { postJson } from "./client";
import { commandAnswerFrom, purgeAnswerFrom, retriedFrom, type Wire } from "./wire";

/** Seconds that a worker is given to finish its tasks and say goodbye, before the page calls it not known yet. */
const FAREWELL = 20;

/** Where a command goes and what it carries. */
export function requestOf(command: Command): { path: string; body: Record<string, unknown> | string } {
  switch (command.kind) {
    case "shutdown":
      return { path: workerPath(command.worker, "shutdown"), body: { timeout: FAREWELL } };
    case "pool_restart":
      return { path: workerPath(command.worker, "pool/restart"), body: {} };
    case "pool_grow":
      return { path: workerPath(command.worker, "pool/growth"), body: { n: command.n } };
    case "pool_shrink":
      return { path: workerPath(command.worker, "pool/shrinkage"), body: { n: command.n } };
    case "autoscale":
      return {
        path: workerPath(command.worker, "autoscale"),
        body: { min: command.min, max: command.max },
      };
    case "add_consumer":
      return { path: workerPath(command.worker, "consumers"), body: { queue: command.queue } };
    case "cancel_consumer":
      return { path: workerPath(command.worker, "consumers/cancellation"), body: { queue: command.queue } };
    case "time_limit":
      return {
        path: workerPath(command.worker, "time-limits"),
        body: { task: command.task, soft: command.soft, hard: command.hard },
      };
    case "rate_limit":
      return {
        path: workerPath(command.worker, "rate-limits"),
        body: { task: command.task, rate: command.rate },
      };
    case "revoke":
      return {
        path: taskPath(command.uuid, "revocation"),
        body: command.terminate ? { terminate: true, signal: command.signal } : {},
      };
    case "abort":
      return { path: taskPath(command.uuid, "abortion"), body: {} };
    case "retry":
      return { path: taskPath(command.uuid, "retry"), body: retryBody(command) };
    case "purge":
      return { path: `queues/${encodeURIComponent(command.queue)}/purge`, body: { confirm: command.queue } };
  }
}

/** Sends a command and waits for what comes of it. Throws `ApiError`. */
export async function sendCommand(command: Command): Promise<CommandAnswer> {
  const { path, body } = requestOf(command);
  if (command.kind === "retry") return retriedFrom(await postJson<Wire["RetriedOut"]>(path, body));
  if (command.kind === "purge") return purgeAnswerFrom(await postJson<Wire["PurgeOut"]>(path, body));
  return commandAnswerFrom(await postJson<Wire["CommandOut"]>(path, body));
}

/** Edited arguments go as they were written: parsing them here would round large numbers. */
function retryBody(command: Extract<Command, { kind: "retry" }>): string {
  const { edited, queue } = command;
  const parts = edited ? [`"args":${edited.args}`, `"kwargs":${edited.kwargs}`] : [];
  if (queue !== null) parts.push(`"queue":${JSON.stringify(queue)}`);
  return `{${parts.join(",")}}`;
}

const workerPath = (hostname: string, what: string) => `workers/${encodeURIComponent(hostname)}/${what}`;
const taskPath = (uuid: string, what: string) => `tasks/${encodeURIComponent(uuid)}/${what}`;
