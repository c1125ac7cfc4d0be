import { sortOf } from "../components/table/SortHeader";
import { isSortable } from "../components/tasks/columns";
import { PAGE_SIZES } from "../components/tasks/Pager";
import type { TaskQuery } from "../model/task";
import { textOf } from "./searchParams";

/** The tasks page as its URL tells it: Flower's parameters and ours, all plain texts. */
export interface TasksSearch {
  state?: string;
  worker?: string;
  name?: string;
  search?: string;
  sort?: string;
  columns?: string;
  limit?: string;
  cursor?: string;
  page?: string;
}

export const DEFAULT_SORT = "-received";
export const DEFAULT_LIMIT = 30;

const KEYS = ["state", "worker", "name", "search", "sort", "columns", "limit", "cursor", "page"] as const;

export function validateSearch(raw: Record<string, unknown>): TasksSearch {
  return Object.fromEntries(KEYS.map((key) => [key, textOf(raw, key)]));
}

/** What to ask the server for. A sort or page size that does not exist falls back to the default. */
export function queryOf(search: TasksSearch): TaskQuery {
  const { sort = DEFAULT_SORT } = search;
  const limit = Number(search.limit);
  return {
    search: search.search ?? "",
    state: search.state ?? "",
    worker: search.worker ?? "",
    name: search.name ?? "",
    sort: isSortable(sortOf(sort).field) ? sort : DEFAULT_SORT,
    limit: PAGE_SIZES.includes(limit) ? limit : DEFAULT_LIMIT,
    cursor: search.cursor ?? "",
  };
}

/** 1-based number of the page, for the eye only: the cursor says where it is. */
export function pageOf(search: TasksSearch): number {
  const page = Number(search.page);
  return search.cursor && Number.isInteger(page) && page > 1 ? page : 1;
}
