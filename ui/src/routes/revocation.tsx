import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "./root";
import { textOf } from "./searchParams";

export interface RevocationSearch {
  outcome?: string;
  cursor?: string;
}

function validateSearch(raw: Record<string, unknown>): RevocationSearch {
  return { outcome: textOf(raw, "outcome"), cursor: textOf(raw, "cursor") };
}

/** Many tasks that are revoked together. */
export const revocationRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/revocation/$id",
  validateSearch,
  component: lazyRouteComponent(() => import("./revocationPage"), "Revocation"),
});
