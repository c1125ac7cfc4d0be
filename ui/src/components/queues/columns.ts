import type { Capabilities, QueueColumn } from "../../model/queue";
import type { SortField } from "../table/SortSelect";

export interface FigureColumn {
  field: "messages" | "ready" | "unacked" | "consumers";
  label: string;
}

/** Flower's columns of numbers. */
const FIGURES: FigureColumn[] = [
  { field: "messages", label: "Messages" },
  { field: "ready", label: "Ready" },
  { field: "unacked", label: "Unacked" },
  { field: "consumers", label: "Consumers" },
];

export const DEFAULT_QUEUE_SORT = "name";

/** The columns that this kind of broker can tell; the others are left out. */
export function figuresOf(can: Capabilities): FigureColumn[] {
  return FIGURES.filter(({ field }) => can[field]);
}

/** What the queues can be sorted by, where there are no headers to click. */
export function sortsOf(can: Capabilities): SortField[] {
  const more: (SortField & { needs: QueueColumn })[] = [
    { field: "idleSince", label: "Idle since", needs: "idleSince", descendingFirst: true },
    { field: "oldestAge", label: "Oldest", needs: "oldest", descendingFirst: true },
  ];
  return [
    { field: "name", label: "Queue" },
    ...figuresOf(can).map(({ field, label }) => ({ field, label, descendingFirst: true })),
    ...more.filter(({ needs }) => can[needs]),
  ];
}
