import type { AuditPage, AuditRow, CommandAnswer, Revocation } from "../model/command";
import type { Inspection, WorkerControl } from "../model/inspection";
import type { Bucket, QueueBucket } from "../model/monitor";
import { formatCount } from "../model/number";
import type { MessagePage, Queue, QueueDetail, QueueList, QueueMessage } from "../model/queue";
import type { RetryPlan } from "../model/retry";
import type { RevocationItem, RevocationItemPage, RevocationJob } from "../model/revocation";
import type { Gap, Settings, Status } from "../model/status";
import type { Attempt, StateCount, Task, TaskDetail, TaskPage } from "../model/task";
import type { Worker, WorkerList, WorkerTotals } from "../model/worker";
import type { components } from "./schema.gen";

/** The API's own names: snake_case, used nowhere else. */
export type Wire = components["schemas"];

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : S;
type CamelKeys<T> = { [K in keyof T as K extends string ? Camel<K> : K]: T[K] };

/** Renames the keys of one object; nested objects stay as they are. */
function camelKeys<T extends object>(wire: T): CamelKeys<T> {
  const entries = Object.entries(wire).map(([key, value]) => [
    key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  return Object.fromEntries(entries) as CamelKeys<T>;
}

export function workerFrom(wire: Wire["WorkerOut"]): Worker {
  return camelKeys(wire);
}

export function totalsFrom(wire: Wire["WorkerTotals"]): WorkerTotals {
  return camelKeys(wire);
}

export function workerListFrom(wire: Wire["WorkerList"]): WorkerList {
  return { items: wire.items.map(workerFrom), totals: totalsFrom(wire.totals) };
}

export function taskFrom(wire: Wire["TaskOut"]): Task {
  return camelKeys(wire);
}

export function taskPageFrom(wire: Wire["TaskList"]): TaskPage {
  return { items: wire.items.map(taskFrom), next: wire.next, total: wire.total };
}

function attemptFrom(wire: Wire["AttemptOut"]): Attempt {
  return camelKeys(wire);
}

export function taskDetailFrom(wire: Wire["TaskDetailOut"]): TaskDetail {
  return { ...camelKeys(wire), timeline: wire.timeline.map(attemptFrom) };
}

export function stateCountsFrom(wire: Wire["FacetCount"][]): StateCount[] {
  return wire.map(({ value, count }) => ({ state: value, count }));
}

function queueFrom(wire: Wire["QueueOut"]): Queue {
  return { ...camelKeys(wire), columns: camelKeys(wire.columns) };
}

export function queueListFrom(wire: Wire["QueueList"]): QueueList {
  return {
    ...camelKeys(wire),
    items: wire.items.map(queueFrom),
    capabilities: camelKeys(wire.capabilities),
  };
}

export function queueDetailFrom(wire: Wire["QueueDetail"]): QueueDetail {
  return {
    ...camelKeys(wire),
    columns: camelKeys(wire.columns),
    capabilities: camelKeys(wire.capabilities),
  };
}

export function messagePageFrom(wire: Wire["MessageList"]): MessagePage {
  return { ...camelKeys(wire), items: wire.items.map((message): QueueMessage => camelKeys(message)) };
}

export function statusFrom(wire: Wire["Status"]): Status {
  return camelKeys(wire);
}

export function gapFrom(wire: Wire["GapOut"]): Gap {
  return camelKeys(wire);
}

export function bucketFrom(wire: Wire["RollupOut"]): Bucket {
  return camelKeys(wire);
}

export function queueBucketFrom(wire: Wire["QueueRollupOut"]): QueueBucket {
  return camelKeys(wire);
}

export function settingsFrom(wire: Wire["Settings"]): Settings {
  return camelKeys(wire);
}

export function commandAnswerFrom(wire: Wire["CommandOut"]): CommandAnswer {
  return camelKeys(wire);
}

/** A retry as the answer of a command: nobody but the broker had to confirm it. */
export function retriedFrom(wire: Wire["RetriedOut"]): CommandAnswer {
  const note = `The broker has it, for the queue ${wire.queue}.`;
  const { id, time, task_id: task } = wire;
  return { id, time, outcome: "confirmed", confirmed: [], refused: [], silent: [], note, task };
}

export function retryPlanFrom(wire: Wire["RetryOut"]): RetryPlan {
  return camelKeys(wire);
}

export function purgeAnswerFrom(wire: Wire["PurgeOut"]): CommandAnswer {
  const count = wire.removed === 1 ? "1 message was" : `${formatCount(wire.removed)} messages were`;
  const note = `${count} thrown away`;
  return { id: wire.id, time: wire.time, outcome: "confirmed", confirmed: [], refused: [], silent: [], note };
}

export function revocationJobFrom(wire: Wire["RevocationJobOut"]): RevocationJob {
  return camelKeys(wire);
}

export function revocationItemsFrom(wire: Wire["RevocationItemList"]): RevocationItemPage {
  return { items: wire.items.map((item): RevocationItem => camelKeys(item)), next: wire.next };
}

function auditRowFrom(wire: Wire["AuditOut"]): AuditRow {
  return camelKeys(wire);
}

export function auditPageFrom(wire: Wire["AuditList"]): AuditPage {
  return { items: wire.items.map(auditRowFrom), next: wire.next };
}

export function revocationFrom(wire: Wire["RevocationOut"]): Revocation {
  return { ...camelKeys(wire), command: wire.command && auditRowFrom(wire.command) };
}

export function workerControlFrom(wire: Wire["WorkerControl"]): WorkerControl {
  return camelKeys(wire);
}

export function inspectionFrom(wire: Wire["InspectionOut"]): Inspection {
  return { ...camelKeys(wire), queues: wire.queues?.map((queue) => camelKeys(queue)) ?? null };
}
