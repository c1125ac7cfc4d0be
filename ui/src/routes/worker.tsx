import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "./root";

/** One worker; its tabs and dialogs come with it. */
export const workerRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/worker/$",
  component: lazyRouteComponent(() => import("./workerPage"), "WorkerPage"),
});
