import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "./root";
import { textOf } from "./searchParams";

export interface AuditSearch {
  action?: string;
  target?: string;
  who?: string;
  cursor?: string;
}

function validateSearch(raw: Record<string, unknown>): AuditSearch {
  const keys = ["action", "target", "who", "cursor"] as const;
  return Object.fromEntries(keys.map((key) => [key, textOf(raw, key)]));
}

/** Every command of the past. */
export const auditRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/audit",
  validateSearch,
  component: lazyRouteComponent(() => import("./auditPage"), "Audit"),
});
