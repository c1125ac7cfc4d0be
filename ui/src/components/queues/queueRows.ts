import { useMemo } from "react";
import type { Capabilities, Queue } from "../../model/queue";
import { sortOf } from "../table/SortHeader";

/** Which queues to show, and in what order. */
export interface QueuesView {
  queues: Queue[];
  capabilities: Capabilities;
  search: string;
  sort: string;
  onSort: (sort: string) => void;
}

const FIELDS = ["name", "messages", "ready", "unacked", "consumers", "idleSince", "oldestAge"] as const;

/** The queues that match the search, in order: unknown last, ties by name. */
export function useQueueRows(view: QueuesView): Queue[] {
  const { queues, search, sort } = view;
  return useMemo(() => {
    const { field, descending } = sortOf(sort);
    const by = FIELDS.find((known) => known === field) ?? "name";
    const text = search.trim().toLowerCase();
    return queues
      .filter((queue) => queue.name.toLowerCase().includes(text))
      .sort((a, b) => compare(a[by], b[by], descending) || compare(a.name, b.name, false));
  }, [queues, search, sort]);
}

function compare(a: string | number | null, b: string | number | null, descending: boolean): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  const order = a < b ? -1 : Number(a > b);
  return descending ? -order : order;
}
