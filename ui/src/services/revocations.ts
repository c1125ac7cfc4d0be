import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import type { RevocationItemPage, RevocationJob, TaskFilter } from "../model/revocation";
import { fetchJson, postJson } from "./client";
import { revocationItemsFrom, revocationJobFrom, type Wire } from "./wire";

/** ms between two looks at a job that runs, and at one that later events may still change. */
const PACE = 700;
const SLOW_PACE = 10_000;

const PATH = "revocation-jobs";

/** Pins the tasks that match and have not ended; sends nothing. Throws `ApiError`. */
export async function previewRevocation(filter: TaskFilter): Promise<RevocationJob> {
  const { state, ...rest } = filter;
  const texts = Object.entries(rest).filter(([, text]) => text !== "");
  const asked = { ...Object.fromEntries(texts), ...(state ? { state: [state] } : {}) };
  return revocationJobFrom(await postJson<Wire["RevocationJobOut"]>(PATH, { filter: asked }));
}

/** Revokes the tasks of a preview. Throws `ApiError`. */
export async function startRevocation(
  job: RevocationJob,
  how: { terminate: boolean; signal: string },
): Promise<RevocationJob> {
  const body = { confirm: job.total, ...how };
  return revocationJobFrom(await postJson<Wire["RevocationJobOut"]>(`${PATH}/${job.id}/start`, body));
}

/** Sends no more tasks of a job. Throws `ApiError`. */
export async function stopRevocation(id: number): Promise<RevocationJob> {
  return revocationJobFrom(await postJson<Wire["RevocationJobOut"]>(`${PATH}/${id}/stop`, {}));
}

export function revocationJobQuery(id: string) {
  return queryOptions<RevocationJob>({
    queryKey: [PATH, id],
    queryFn: async ({ signal }) =>
      revocationJobFrom(
        await fetchJson<Wire["RevocationJobOut"]>(`${PATH}/${encodeURIComponent(id)}`, {}, signal),
      ),
    refetchInterval: ({ state }) => (state.data?.state === "running" ? PACE : SLOW_PACE),
  });
}

/** A page of a job's tasks; `pace` tells how often to look. */
export function revocationItemsQuery(
  id: string,
  query: { outcome: string; cursor: string; limit: number },
  isRunning: boolean,
) {
  return queryOptions<RevocationItemPage>({
    queryKey: [PATH, id, "items", query],
    queryFn: async ({ signal }) =>
      revocationItemsFrom(
        await fetchJson<Wire["RevocationItemList"]>(
          `${PATH}/${encodeURIComponent(id)}/items`,
          { ...query },
          signal,
        ),
      ),
    placeholderData: keepPreviousData,
    refetchInterval: isRunning ? 2 * PACE : SLOW_PACE,
  });
}
