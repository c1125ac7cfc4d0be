import { createRouter } from "@tanstack/react-router";
import { auditRoute } from "./routes/audit";
import { brokerRoute } from "./routes/broker";
import { dashboardRoute, workersRoute } from "./routes/dashboard";
import { monitorRoute } from "./routes/monitor";
import { queueRoute } from "./routes/queue";
import { revocationRoute } from "./routes/revocation";
import { rootRoute } from "./routes/root";
import { parseSearch, stringifySearch } from "./routes/searchParams";
import { taskRoute } from "./routes/task";
import { tasksRoute } from "./routes/tasks";
import { workerRoute } from "./routes/worker";
import { PREFIX } from "./services/page";

/** Every screen, at Flower's address. */
const routeTree = rootRoute.addChildren([
  dashboardRoute,
  workersRoute,
  workerRoute,
  tasksRoute,
  taskRoute,
  monitorRoute,
  brokerRoute,
  queueRoute,
  auditRoute,
  revocationRoute,
]);

export function makeRouter() {
  return createRouter({
    routeTree,
    basepath: PREFIX || "/",
    parseSearch,
    stringifySearch,
    scrollRestoration: true,
    defaultPreload: false,
    pathParamsAllowedCharacters: ["@", ":"],
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
