import { keepPreviousData, type QueryClient, queryOptions } from "@tanstack/react-query";
import type { AuditPage, AuditQuery, Revocation } from "../model/command";
import type { Inspection, WorkerControl } from "../model/inspection";
import type { Bucket, QueueBucket } from "../model/monitor";
import type { MessagePage, QueueDetail, QueueList } from "../model/queue";
import type { RetryPlan } from "../model/retry";
import type { Gap, Settings, Status } from "../model/status";
import type { StateCount, TaskDetail, TaskPage, TaskQuery } from "../model/task";
import type { WorkerList } from "../model/worker";
import { fetchJson } from "./client";
import {
  auditPageFrom,
  bucketFrom,
  gapFrom,
  inspectionFrom,
  messagePageFrom,
  queueBucketFrom,
  queueDetailFrom,
  queueListFrom,
  retryPlanFrom,
  revocationFrom,
  settingsFrom,
  stateCountsFrom,
  statusFrom,
  taskDetailFrom,
  taskPageFrom,
  type Wire,
  workerControlFrom,
  workerListFrom,
} from "./wire";

/** Cache keys: the stream writes into the same entries that these queries fill (services/live.ts). */
export const KEYS = {
  settings: ["settings"],
  status: ["status"],
  gaps: ["gaps"],
  workers: ["workers"],
  states: ["states"],
  tasks: ["tasks"],
  task: ["task"],
  buckets: ["buckets"],
  queues: ["queues"],
  inspection: ["inspection"],
  control: ["control"],
  revocation: ["revocation"],
  audit: ["audit"],
  retry: ["retry"],
} as const;

export const settingsQuery = queryOptions<Settings>({
  queryKey: KEYS.settings,
  queryFn: async ({ signal }) => settingsFrom(await fetchJson<Wire["Settings"]>("settings", {}, signal)),
  staleTime: Number.POSITIVE_INFINITY,
});

export const statusQuery = queryOptions<Status>({
  queryKey: KEYS.status,
  queryFn: async ({ signal }) => statusFrom(await fetchJson<Wire["Status"]>("status", {}, signal)),
});

export const gapsQuery = queryOptions<Gap[]>({
  queryKey: KEYS.gaps,
  queryFn: async ({ signal }) => (await fetchJson<Wire["GapList"]>("gaps", {}, signal)).items.map(gapFrom),
  refetchInterval: 60_000,
});

export const workersQuery = queryOptions<WorkerList>({
  queryKey: KEYS.workers,
  queryFn: async ({ signal }) => workerListFrom(await fetchJson<Wire["WorkerList"]>("workers", {}, signal)),
});

/** How many stored tasks are in each state; the stream fills this. */
export const statesQuery = queryOptions<StateCount[]>({
  queryKey: KEYS.states,
  queryFn: async ({ signal }) =>
    stateCountsFrom((await fetchJson<Wire["Facets"]>("facets", {}, signal)).states),
});

/** The same for the tasks of one name, one worker or both; the stream only tells when to ask again. */
export function narrowedStatesQuery(narrowing: { name: string; worker: string }) {
  return queryOptions<StateCount[]>({
    queryKey: [...KEYS.states, narrowing],
    queryFn: async ({ signal }) =>
      stateCountsFrom((await fetchJson<Wire["Facets"]>("facets", narrowing, signal)).states),
  });
}

async function fetchTasks(query: TaskQuery, signal: AbortSignal): Promise<TaskPage> {
  return taskPageFrom(await fetchJson<Wire["TaskList"]>("tasks", { ...query }, signal));
}

export function tasksQuery(query: TaskQuery) {
  return queryOptions<TaskPage>({
    queryKey: [...KEYS.tasks, query],
    queryFn: ({ signal }) => fetchTasks(query, signal),
    placeholderData: keepPreviousData,
  });
}

/** The same page, held still: it begins as the live one stood at `since` and is not asked for again. */
export function pausedTasksQuery(query: TaskQuery, since: number, cache: QueryClient) {
  const live = tasksQuery(query);
  return queryOptions<TaskPage>({
    ...live,
    queryKey: ["tasks-paused", since, query],
    queryFn: ({ signal }) => fetchTasks(query, signal),
    initialData: () => cache.getQueryData<TaskPage>(live.queryKey),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function taskQuery(uuid: string) {
  return queryOptions<TaskDetail>({
    queryKey: [...KEYS.task, uuid],
    queryFn: async ({ signal }) =>
      taskDetailFrom(await fetchJson<Wire["TaskDetailOut"]>(`tasks/${encodeURIComponent(uuid)}`, {}, signal)),
  });
}

export interface BucketQuery {
  kind: "all" | "task" | "worker";
  label: string | undefined;
  span: number;
  start: number;
  end: number;
}

/** Time buckets from `start` to `end`; asked for again every few seconds where the last of them still grows. */
export function bucketsQuery(query: BucketQuery) {
  return queryOptions<Bucket[]>({
    queryKey: [...KEYS.buckets, query],
    queryFn: async ({ signal }) =>
      (await fetchJson<Wire["RollupList"]>("rollups", { ...query }, signal)).items.map(bucketFrom),
    placeholderData: keepPreviousData,
    refetchInterval: query.span === 60 ? 5_000 : 60_000,
  });
}

export interface QueueBucketQuery {
  /** Absent: the queues that were longest. */
  queue: string | undefined;
  span: number;
  start: number;
  end: number;
}

/** The same of queues. */
export function queueBucketsQuery(query: QueueBucketQuery) {
  return queryOptions<QueueBucket[]>({
    queryKey: [...KEYS.buckets, "queues", query],
    queryFn: async ({ signal }) =>
      (await fetchJson<Wire["QueueRollupList"]>("queue-rollups", { ...query }, signal)).items.map(
        queueBucketFrom,
      ),
    placeholderData: keepPreviousData,
    refetchInterval: query.span === 60 ? 10_000 : 60_000,
  });
}

/** Names of tasks and workers that are stored, for choosing one. */
export const namesQuery = queryOptions<{ tasks: string[]; workers: string[] }>({
  queryKey: ["names"],
  queryFn: async ({ signal }) => {
    const facets = await fetchJson<Wire["Facets"]>("facets", {}, signal);
    const namesOf = (counts: Wire["FacetCount"][]) =>
      counts
        .map(({ value }) => value)
        .filter(Boolean)
        .sort();
    return { tasks: namesOf(facets.names), workers: namesOf(facets.workers) };
  },
  staleTime: 30_000,
});
/** Names of the queues that are known, for choosing one. */
export const queueNamesQuery = queryOptions<string[]>({
  queryKey: ["queue-names"],
  queryFn: async ({ signal }) =>
    (await fetchJson<Wire["QueueList"]>("queues", {}, signal)).items.map(({ name }) => name),
  staleTime: 60_000,
});

/** ms between two looks at the broker; a hidden tab does not look. */
export const BROKER_PACE = 5_000;

export const queuesQuery = queryOptions<QueueList>({
  queryKey: KEYS.queues,
  queryFn: async ({ signal }) => queueListFrom(await fetchJson<Wire["QueueList"]>("queues", {}, signal)),
});

export function queueQuery(name: string) {
  return queryOptions<QueueDetail>({
    queryKey: [...KEYS.queues, name],
    queryFn: async ({ signal }) =>
      queueDetailFrom(await fetchJson<Wire["QueueDetail"]>(`queues/${encodeURIComponent(name)}`, {}, signal)),
  });
}

/** Messages of a queue: those that wait, or those that workers hold. */
export function messagesQuery(name: string, query: { held: "yes" | "no"; offset: number; limit: number }) {
  return queryOptions<MessagePage>({
    queryKey: [...KEYS.queues, name, "messages", query],
    queryFn: async ({ signal }) =>
      messagePageFrom(
        await fetchJson<Wire["MessageList"]>(`queues/${encodeURIComponent(name)}/messages`, query, signal),
      ),
    placeholderData: keepPreviousData,
  });
}

/** Entries of each list in a worker's answers; the lengths of the lists are told whole. */
export const INSPECTED = 500;

/** Asks the worker for everything about itself, and waits for its answer. */
export function inspectionQuery(hostname: string) {
  return queryOptions<Inspection>({
    queryKey: [...KEYS.inspection, hostname],
    queryFn: async ({ signal }) => {
      const path = `workers/${encodeURIComponent(hostname)}/inspection`;
      const query = { refresh: "yes", limit: INSPECTED };
      return inspectionFrom(await fetchJson<Wire["InspectionOut"]>(path, query, signal));
    },
  });
}

/** What can be changed at a worker, as far as it has told. */
export function controlQuery(hostname: string) {
  return queryOptions<WorkerControl>({
    queryKey: [...KEYS.control, hostname],
    queryFn: async ({ signal }) => {
      const path = `workers/${encodeURIComponent(hostname)}/control`;
      return workerControlFrom(await fetchJson<Wire["WorkerControl"]>(path, {}, signal));
    },
  });
}

/** ms between two looks at a revocation that is not known to be done. */
const REVOCATION_PACE = 2_000;

/** Whether a task is revoked. It is another question once the task has another state. */
export function revocationQuery(uuid: string, taskState: string | undefined) {
  return queryOptions<Revocation>({
    queryKey: [...KEYS.revocation, uuid, taskState],
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const path = `tasks/${encodeURIComponent(uuid)}/revocation`;
      return revocationFrom(await fetchJson<Wire["RevocationOut"]>(path, {}, signal));
    },
    refetchInterval: ({ state }) => (state.data?.state === "requested" ? REVOCATION_PACE : false),
  });
}

/** Whether and with what a task can be sent once more: asked for each time, since messages and results go. */
export function retryQuery(uuid: string) {
  return queryOptions<RetryPlan>({
    queryKey: [...KEYS.retry, uuid],
    queryFn: async ({ signal }) => {
      const path = `tasks/${encodeURIComponent(uuid)}/retry`;
      return retryPlanFrom(await fetchJson<Wire["RetryOut"]>(path, {}, signal));
    },
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
}

/** ms between two looks at the newest commands. */
const AUDIT_PACE = 5_000;

/** A page of the audit; the first one is asked for again, for what is new. */
export function auditQuery(query: AuditQuery) {
  return queryOptions<AuditPage>({
    queryKey: [...KEYS.audit, query],
    queryFn: async ({ signal }) =>
      auditPageFrom(await fetchJson<Wire["AuditList"]>("audit", { ...query }, signal)),
    placeholderData: keepPreviousData,
    refetchInterval: query.cursor ? false : AUDIT_PACE,
  });
}
