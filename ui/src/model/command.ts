import type { Tone } from "./task";

/** What can be asked of workers and tasks on this page. */
export type Command =
  | { kind: "shutdown" | "pool_restart"; worker: string }
  | { kind: "pool_grow" | "pool_shrink"; worker: string; n: number }
  | { kind: "autoscale"; worker: string; min: number; max: number }
  | { kind: "add_consumer" | "cancel_consumer"; worker: string; queue: string }
  | { kind: "time_limit"; worker: string; task: string; soft: number | null; hard: number | null }
  | { kind: "rate_limit"; worker: string; task: string; rate: string }
  | { kind: "revoke"; uuid: string; terminate: boolean; signal: string }
  | { kind: "abort"; uuid: string }
  | { kind: "retry"; uuid: string; queue: string | null; edited: EditedArguments | null }
  | { kind: "purge"; queue: string };

/** JSON texts of an array and an object: parsed by the server only, so that no large number is rounded here. */
export interface EditedArguments {
  args: string;
  kwargs: string;
}

export type OutcomeState = "requested" | "confirmed" | "partly" | "refused" | "silent" | "failed" | "unknown";

/** What one worker answered. */
export interface WorkerSaid {
  worker: string;
  text: string;
}

/** What workers said to a command. */
export interface Answers {
  outcome: OutcomeState;
  confirmed: WorkerSaid[];
  refused: WorkerSaid[];
  /** They gave no answer in time, and may still do it. */
  silent: string[];
}

export interface CommandAnswer extends Answers {
  id: number;
  time: number;
  /** What a confirmation does not mean. */
  note: string;
  /** The task that the command made. */
  task?: string;
}

/** A command of this page with what has come of it so far. */
export interface Run {
  key: number;
  command: Command;
  /** null: still waiting. */
  answer: CommandAnswer | null;
  /** The server took no command, or gave no answer (status 0). */
  error: { status: number; message: string } | null;
}

/** Signals that end or disturb a task, as the server allows them. */
export const SIGNALS = [
  { value: "SIGTERM", label: "SIGTERM: end" },
  { value: "SIGKILL", label: "SIGKILL: end at once, without cleaning up" },
  { value: "SIGINT", label: "SIGINT: interrupt" },
  { value: "SIGQUIT", label: "SIGQUIT: quit" },
  { value: "SIGHUP", label: "SIGHUP: hang up" },
  { value: "SIGUSR1", label: "SIGUSR1: raises the soft time limit" },
  { value: "SIGUSR2", label: "SIGUSR2" },
  { value: "SIGABRT", label: "SIGABRT: abort with a core dump" },
  { value: "SIGALRM", label: "SIGALRM" },
  { value: "SIGCONT", label: "SIGCONT" },
];

const seconds = (limit: number | null): string => (limit === null ? "none" : `${limit} s`);

/** The command in words, such as "Grow the pool by 2". */
export function describe(command: Command): string {
  switch (command.kind) {
    case "shutdown":
      return "Shut down";
    case "pool_restart":
      return "Restart the pool";
    case "pool_grow":
      return `Grow the pool by ${command.n}`;
    case "pool_shrink":
      return `Shrink the pool by ${command.n}`;
    case "autoscale":
      return `Scale between ${command.min} and ${command.max}`;
    case "add_consumer":
      return `Take tasks from ${command.queue}`;
    case "cancel_consumer":
      return `Take no more tasks from ${command.queue}`;
    case "time_limit":
      return `Time limits of ${command.task}: soft ${seconds(command.soft)}, hard ${seconds(command.hard)}`;
    case "rate_limit":
      return `Rate limit of ${command.task}: ${command.rate === "0" ? "none" : command.rate}`;
    case "revoke":
      return command.terminate ? `Terminate with ${command.signal}` : "Revoke";
    case "abort":
      return "Abort";
    case "retry":
      return command.edited ? "Retry with edits" : "Retry";
    case "purge":
      return `Purge ${command.queue}`;
  }
}

export interface Verdict {
  tone: Tone;
  /** One or two words. */
  word: string;
  /** What that means here; "" where the answers say it all. */
  text: string;
}

const OUTCOMES: Record<OutcomeState, Verdict> = {
  confirmed: { tone: "success", word: "confirmed", text: "" },
  partly: { tone: "retry", word: "partly", text: "Not every worker did it." },
  refused: { tone: "failure", word: "refused", text: "" },
  silent: { tone: "retry", word: "no answer", text: "Nobody knows whether it was done." },
  requested: { tone: "pending", word: "requested", text: "Sent. Whether it was done is not known yet." },
  failed: { tone: "failure", word: "not sent", text: "The broker did not take it." },
  unknown: {
    tone: "retry",
    word: "unknown",
    text: "The server ended before the answers came: nobody knows whether it was done.",
  },
};

/** An outcome in words. Silence never reads as success. */
export function outcomeVerdict(outcome: OutcomeState): Verdict {
  return OUTCOMES[outcome] ?? OUTCOMES.requested;
}

/** What has come of a command so far, in words. */
export function verdictOf(run: Run): Verdict {
  const { answer, error, command } = run;
  if (error !== null) return refusalOf(error.status, error.message);
  if (answer === null) {
    return { tone: "started", word: "waiting", text: "Sent; waiting for an answer…" };
  }
  const verdict = outcomeVerdict(answer.outcome);
  if (answer.outcome === "requested" && command.kind === "shutdown") {
    return { ...verdict, text: "Sent. The worker says goodbye once the tasks that it runs have ended." };
  }
  return answer.note
    ? { ...verdict, text: [verdict.text, sentence(answer.note)].filter(Boolean).join(" ") }
    : verdict;
}

function refusalOf(status: number, message: string): Verdict {
  if (status === 0) {
    return {
      tone: "retry",
      word: "unknown",
      text: "The monitor did not answer: nobody knows whether it was sent.",
    };
  }
  if (status === 401 || status === 403) {
    return { tone: "failure", word: "not allowed", text: `Not sent: ${message}` };
  }
  const text = message.startsWith("Not sent") ? message : `Not sent: ${message}`;
  return { tone: "failure", word: status === 409 ? "refused" : "not sent", text };
}

function sentence(text: string): string {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return begun.endsWith(".") ? begun : `${begun}.`;
}

/** Whether the text is a rate that workers understand. */
export function isRate(text: string): boolean {
  return /^\d+(\.\d+)?(\/[smh])?$/.test(text);
}

/** Whether a task is revoked: see the API's `RevocationOut`. */
export interface Revocation {
  state: "none" | "requested" | "flagged" | "revoked" | "ended";
  taskState: string | null;
  command: AuditRow | null;
}

/** One command of the past. */
export interface AuditRow extends Answers {
  id: number;
  time: number;
  ended: number | null;
  who: string | null;
  login: string;
  address: string;
  action: string;
  target: string;
  parameters: Record<string, unknown>;
  detail: string;
}

export interface AuditPage {
  items: AuditRow[];
  /** Cursor of the next page; null on the last. */
  next: string | null;
}

/** What the audit page asks for; empty strings mean any. */
export interface AuditQuery {
  action: string;
  target: string;
  who: string;
  cursor: string;
  limit: number;
}

const ACTIONS: Record<string, string> = {
  shutdown: "Shut down",
  pool_restart: "Restart pool",
  pool_grow: "Grow pool",
  pool_shrink: "Shrink pool",
  autoscale: "Autoscale",
  add_consumer: "Add consumer",
  cancel_consumer: "Cancel consumer",
  time_limit: "Time limits",
  rate_limit: "Rate limit",
  revoke: "Revoke",
  abort: "Abort",
  retry: "Retry",
  apply: "Call and wait",
  async_apply: "Call",
  send_task: "Send",
  purge: "Purge queue",
  preview_revocation: "Preview revocation",
  revoke_many: "Revoke many",
  stop_revocation: "Stop revoking",
};

export const ACTION_NAMES = Object.keys(ACTIONS);

export function actionLabel(action: string): string {
  return ACTIONS[action] ?? action;
}

const ABOUT_TASKS = new Set(["revoke", "abort", "retry"]);
const ABOUT_NAMES = new Set(["apply", "async_apply", "send_task", "time_limit", "rate_limit"]);

const ABOUT_JOBS = new Set(["preview_revocation", "revoke_many", "stop_revocation"]);

/** What a command is about: a task, a task's name, a queue, many tasks or a worker. */
export function targetKind(action: string): "task" | "name" | "queue" | "job" | "worker" {
  if (action === "purge") return "queue";
  if (ABOUT_JOBS.has(action)) return "job";
  return ABOUT_TASKS.has(action) ? "task" : ABOUT_NAMES.has(action) ? "name" : "worker";
}

/** A command's parameters on one line. */
export function printParameters(parameters: Record<string, unknown>): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}

/** Whether commands are let in, and if not, why. */
export type Stance = "open" | "read_only" | "closed";
