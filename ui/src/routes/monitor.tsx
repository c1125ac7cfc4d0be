import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "./root";
import { textOf } from "./searchParams";

export interface MonitorSearch {
  range?: string;
  task?: string;
  worker?: string;
  queue?: string;
}

function validateSearch(raw: Record<string, unknown>): MonitorSearch {
  const keys = ["range", "task", "worker", "queue"] as const;
  return Object.fromEntries(keys.map((key) => [key, textOf(raw, key)]));
}

/** Graphs over time. The graph library comes with it, and only with it. */
export const monitorRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/monitor",
  validateSearch,
  component: lazyRouteComponent(() => import("./monitorPage"), "Monitor"),
});
