// Serves the built page with made-up v1 answers, for development: `npm run build && npm run fixtures`.
// Environment: PORT (5556), WORKERS, TASKS, SCENE (empty | gap | blind), PREFIX.
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeWorld } from "./world.mjs";

const OUT = process.env.UMBEL_UI_OUT ?? fileURLToPath(new URL("../../../src/umbel/ui_dist", import.meta.url));
const { PORT = "5556", WORKERS = "8", TASKS = "400", SCENE = "", PREFIX = "" } = process.env;
const TYPES = {
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
  ".ico": "image/x-icon",
};
const world = makeWorld(
  SCENE === "empty"
    ? { workerCount: 0, taskCount: 0 }
    : { workerCount: Number(WORKERS), taskCount: Number(TASKS) },
);
let feed = 1;

const now = () => Date.now() / 1000;
const sum = (list, key) => list.reduce((total, item) => total + (item[key] ?? 0), 0);
const totals = () => ({
  workers: world.workers.length,
  online: world.workers.filter(({ status }) => ["online", "busy-silent"].includes(status)).length,
  ...Object.fromEntries(
    ["active", "processed", "started", "succeeded", "failed", "retried", "revoked"].map((key) => [
      key,
      sum(world.workers, key),
    ]),
  ),
});
const workers = () => ({ items: world.workers, totals: totals() });
const facets = (key, query = new URLSearchParams()) => {
  const counts = new Map();
  const [name, worker] = [query.get("name"), query.get("worker")];
  for (const task of world.tasks.values()) {
    if ((name && task.name !== name) || (worker && task.worker !== worker)) continue;
    counts.set(task[key], (counts.get(task[key]) ?? 0) + 1);
  }
  return [...counts].filter(([value]) => value !== null).map(([value, count]) => ({ value, count }));
};
const status = () => ({
  ready: SCENE !== "blind",
  state: SCENE === "blind" ? "blind" : "connected",
  broker: "redis://:**@localhost:6379/0",
  error: SCENE === "blind" ? "No probe came back for 21 s." : "",
  last_event: now() - 1,
  last_proof: now() - 2,
  lag: 0.21,
  events: 48211,
  dropped: {},
  malformed: { "bad json": 3 },
  reconnects: 1,
  open_gap: SCENE === "blind",
  now: now(),
  stored_tasks: world.tasks.size,
  stored_bytes: 48_300_000,
  notices:
    SCENE === "gap"
      ? [
          {
            level: "warning",
            text: "The history is kept in a temporary folder and will be lost: make the data folder writable or give --db.",
          },
        ]
      : [],
});
const gaps = () =>
  SCENE === "gap"
    ? [{ id: 7, start: now() - 700, end: now() - 640, cause: "broker-lost", lossy: true, detail: "" }]
    : SCENE === "blind"
      ? [{ id: 8, start: now() - 30, end: null, cause: "broker-lost", lossy: true, detail: "" }]
      : [];
const settings = {
  version: "0.1.0.dev",
  url_prefix: PREFIX,
  timezone: "Europe/Berlin",
  natural_time: false,
  auto_refresh: true,
  commands: "read_only",
  can_abort: false,
  tasks_columns: [
    "name",
    "uuid",
    "state",
    "args",
    "kwargs",
    "result",
    "received",
    "started",
    "runtime",
    "worker",
  ],
  read_only: false,
  identity: null,
  broker: "redis://:**@localhost:6379/0",
};

function listTasks(query) {
  const search = query.get("search") ?? "";
  if (/^.{1,2}$/.test(search))
    return {
      problem: {
        title: "Bad Request",
        status: 400,
        detail: "Substring search terms must contain at least 3 characters at position 0.",
        parameter: "search",
      },
    };
  const sort = query.get("sort") ?? "-updated";
  const field = sort.replace(/^-/, "");
  const sign = sort.startsWith("-") ? -1 : 1;
  const rows = [...world.tasks.values()]
    .filter((task) => !query.get("state") || task.state === query.get("state").toUpperCase())
    .filter((task) => !query.get("worker") || task.worker === query.get("worker"))
    .filter((task) => !query.get("name") || task.name === query.get("name"))
    .filter((task) => JSON.stringify(task).toLowerCase().includes(search.toLowerCase()))
    .sort(
      (a, b) =>
        sign * ((a[field] ?? -1) < (b[field] ?? -1) ? -1 : (a[field] ?? -1) > (b[field] ?? -1) ? 1 : 0),
    );
  const limit = Number(query.get("limit") ?? 50);
  const after = query.get("cursor") ? rows.findIndex(({ uuid }) => uuid === query.get("cursor")) + 1 : 0;
  const items = rows.slice(after, after + limit);
  return {
    items,
    next: after + limit < rows.length ? items.at(-1).uuid : null,
    total: { value: rows.length, exact: true },
  };
}

function stream(request, response) {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  const send = (event, data) =>
    response.write(`id: ${feed}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  send("snapshot", {
    event: "snapshot",
    feed,
    status: status(),
    workers: workers(),
    facets: facets("state"),
  });
  const timer = setInterval(() => {
    if (SCENE === "empty" || SCENE === "still") return response.write(": alive\n\n");
    feed += 1;
    const changed = world.tick();
    send("delta", {
      event: "delta",
      feed,
      tasks: changed.tasks,
      workers: changed.workers,
      workers_removed: [],
      totals: totals(),
      facets: facets("state"),
      status: status(),
    });
  }, 1000);
  request.on("close", () => clearInterval(timer));
}

function answer(path, query) {
  if (path === "settings") return settings;
  if (path === "status") return status();
  if (path === "gaps") return { items: gaps() };
  if (path === "workers") return workers();
  if (path === "facets")
    return {
      total: world.tasks.size,
      states: facets("state", query),
      names: facets("name"),
      workers: facets("worker"),
    };
  if (path === "tasks") return listTasks(query);
  const task = path.startsWith("tasks/") ? world.tasks.get(decodeURIComponent(path.slice(6))) : null;
  return task
    ? world.detail(task)
    : { problem: { title: "Not Found", status: 404, detail: "There is no such thing." } };
}

function page(response) {
  const html = readFileSync(join(OUT, "index.html"), "utf8")
    .replaceAll("__UMBEL_PREFIX__", PREFIX)
    .replaceAll("__UMBEL_NONCE__", "fixture-nonce")
    .replaceAll("./assets/", `${PREFIX}/static/assets/`);
  response.writeHead(200, {
    "Content-Type": "text/html; charset=UTF-8",
    "Content-Security-Policy":
      "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-fixture-nonce'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  });
  response.end(html);
}

createServer((request, response) => {
  const url = new URL(request.url, "http://x");
  const path = url.pathname.startsWith(PREFIX) ? url.pathname.slice(PREFIX.length) : url.pathname;
  if (path === "/api/v1/stream") return stream(request, response);
  if (path.startsWith("/api/v1/")) {
    const body = answer(path.slice(8), url.searchParams);
    const code = body.problem ? body.problem.status : 200;
    response.writeHead(code, {
      "Content-Type": body.problem ? "application/problem+json" : "application/json",
    });
    return response.end(JSON.stringify(body.problem ?? body));
  }
  const file = join(OUT, path.replace(/^\/static\//, "/"));
  if (extname(path) && existsSync(file)) {
    response.writeHead(200, { "Content-Type": TYPES[extname(path)] ?? "application/octet-stream" });
    return response.end(readFileSync(file));
  }
  return page(response);
}).listen(Number(PORT), "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}${PREFIX}/`));
