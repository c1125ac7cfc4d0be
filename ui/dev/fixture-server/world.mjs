// A made-up shop whose tasks live and end: data for developing the page without a broker.
const NAMES = [
  "shop.tasks.charge_card",
  "shop.tasks.send_receipt",
  "shop.tasks.resize_image",
  "shop.tasks.sync_inventory",
  "shop.reports.daily_totals",
];
const ERROR = "ConnectionError('payment gateway did not answer')";
const TRACE = `Traceback (most recent call last):
  File "/srv/shop/.venv/lib/python3.12/site-packages/celery/app/trace.py", line 453, in trace_task
    R = retval = fun(*args, **kwargs)
                 ^^^^^^^^^^^^^^^^^^^^
  File "/srv/shop/shop/tasks.py", line 41, in charge_card
    answer = gateway.charge(order, amount=amount, currency=currency)
  File "/srv/shop/shop/gateway.py", line 88, in charge
    raise ConnectionError("payment gateway did not answer")
ConnectionError: payment gateway did not answer`;

let counter = 0;
const hex = (n, size) => n.toString(16).padStart(size, "0");
const pick = (list) => list[Math.floor(Math.random() * list.length)];
const now = () => Date.now() / 1000;

function newWorker(index) {
  const status =
    index < 8
      ? ["online", "online", "online", "busy-silent", "lost", "stopped", "unknown", "online"][index]
      : pick(["online", "online", "online", "online", "lost"]);
  const reasons = {
    online: "A heartbeat came 1.2 s ago.",
    "busy-silent": "No heartbeat for 94 s, but a task started here 12 s ago is still running.",
    lost: "No sign of life for 6 min; its heartbeats came every 2 s.",
    stopped: "It said goodbye 3 min ago.",
    unknown: "It sends no heartbeats, and nothing else has told since 2 min.",
  };
  return {
    hostname: `celery@shop-${String(index + 1).padStart(2, "0")}.eu-central.example`,
    status,
    status_reason: reasons[status],
    pid: 4100 + index,
    active: status === "unknown" ? null : status === "online" ? index % 4 : 0,
    processed: 0,
    started: 0,
    succeeded: 0,
    failed: 0,
    retried: 0,
    revoked: 0,
    loadavg: status === "unknown" ? null : [0.42 + index / 10, 0.38, 0.31],
    freq: 2,
    last_heartbeat: now() - 1,
    last_seen: now() - 1,
    first_seen: now() - 86400,
    run_started: now() - 7200,
    runs: 3,
    software: "py-celery 5.6.0 (Linux)",
    skew: index === 2 ? 41.2 : 0.012,
    clock: 1000 + index,
  };
}

function newTask(workers, state, age = 0) {
  counter += 1;
  const uuid = `${hex(Math.floor(Math.random() * 2 ** 32), 8)}-9b1c-4d2e-8f00-${hex(counter, 12)}`;
  const name = pick(NAMES);
  const received = now() - age;
  const isRun = !["PENDING", "RECEIVED"].includes(state);
  const ended = ["SUCCESS", "FAILURE", "RETRY"].includes(state);
  const runtime = ended ? Math.random() * 3 : null;
  const started = isRun && state !== "REVOKED" ? received + 0.04 : null;
  const end = started && runtime ? started + runtime : null;
  return {
    uuid,
    name: counter % 97 === 0 ? null : name,
    state,
    finished: ["SUCCESS", "FAILURE", "REVOKED"].includes(state),
    args: `(${counter}, 'order-${counter}')`,
    kwargs:
      "{'amount': '49.90', 'currency': 'EUR', 'card': '***', 'customer': {'name': 'Ada Lovelace', 'tags': ['vip', 'beta'], 'since': 2019}}",
    result: state === "SUCCESS" ? "{'ok': True, 'id': 8841}" : null,
    exception: ["FAILURE", "RETRY"].includes(state) ? ERROR : null,
    worker: state === "PENDING" ? null : pick(workers.slice(0, 3)).hostname,
    queue: null,
    exchange: null,
    routing_key: "celery",
    eta: null,
    expires: null,
    retries: state === "RETRY" ? 1 : 0,
    root_id: null,
    parent_id: null,
    client: "gen7712@web-1",
    sent: received - 0.01,
    received: state === "PENDING" ? null : received,
    started,
    succeeded: state === "SUCCESS" ? end : null,
    failed: state === "FAILURE" ? end : null,
    retried: state === "RETRY" ? end : null,
    revoked: state === "REVOKED" ? received + 1 : null,
    rejected: null,
    runtime: state === "SUCCESS" ? runtime : null,
    wait: started ? started - received : null,
    clock: counter,
    updated: end ?? started ?? received,
    attempts: 1,
    redelivered: counter % 53 === 0,
  };
}

export function makeWorld({ workerCount = 8, taskCount = 400 } = {}) {
  const workers = Array.from({ length: workerCount }, (_, index) => newWorker(index));
  const tasks = new Map();
  const states = [
    "SUCCESS",
    "SUCCESS",
    "SUCCESS",
    "SUCCESS",
    "FAILURE",
    "RETRY",
    "STARTED",
    "RECEIVED",
    "REVOKED",
    "PENDING",
    "PROGRESS",
    "UNKNOWN",
    "REJECTED",
  ];
  const count = (task) => {
    const worker = workers.find(({ hostname }) => hostname === task.worker);
    if (!worker) return null;
    worker.processed += 1;
    if (task.started) worker.started += 1;
    if (task.state === "SUCCESS") worker.succeeded += 1;
    if (task.state === "FAILURE") worker.failed += 1;
    if (task.state === "RETRY") worker.retried += 1;
    return worker;
  };
  for (let index = 0; index < taskCount; index += 1) {
    const task = newTask(workers, pick(states), (taskCount - index) * 3);
    tasks.set(task.uuid, task);
    count(task);
  }
  return {
    workers,
    tasks,
    /** A few tasks come, one worker moves; returns what changed. */
    tick() {
      const fresh = Array.from({ length: 1 + Math.floor(Math.random() * 3) }, () =>
        newTask(workers, pick(states)),
      );
      const moved = new Set();
      for (const task of fresh) {
        tasks.set(task.uuid, task);
        const worker = count(task);
        if (worker) moved.add(worker);
      }
      const beating = workers[0];
      beating.active = Math.floor(Math.random() * 5);
      beating.loadavg = [Math.random(), 0.4, 0.3];
      moved.add(beating);
      return { tasks: fresh.map(({ uuid }) => uuid), workers: [...moved] };
    },
    detail(task) {
      const mark = (type, time) => ({ time, type, hostname: task.worker ?? "", pid: 4101, clock: 1 });
      const marks = [
        ["received", task.received],
        ["started", task.started],
        ["succeeded", task.succeeded],
        ["failed", task.failed],
        ["retried", task.retried],
        ["revoked", task.revoked],
      ]
        .filter(([, time]) => time !== null)
        .map(([type, time]) => mark(type, time));
      const last = {
        number: 1,
        state: task.state,
        worker: task.worker ?? "",
        pid: 4101,
        received: task.received,
        started: task.started,
        ended: task.succeeded ?? task.failed ?? task.retried ?? task.revoked,
        runtime: task.runtime,
        retries: 0,
        redelivered: false,
        exception: task.exception,
        traceback: task.exception ? TRACE : null,
        marks,
      };
      const earlier =
        task.state === "FAILURE"
          ? [1, 2].map((number) => {
              const at = task.received - 14 + number * 5;
              return {
                ...last,
                number,
                state: "RETRY",
                received: at,
                started: at + 0.6,
                ended: at + 1.9,
                retries: number - 1,
                redelivered: number === 2,
                marks: [mark("received", at), mark("started", at + 0.6), mark("retried", at + 1.9)],
              };
            })
          : [];
      const others = [...tasks.keys()].slice(0, 3);
      return {
        ...task,
        attempts: earlier.length + 1,
        root_id: others[0],
        parent_id: others[1],
        traceback: task.exception ? TRACE : null,
        first_seen: task.received ?? task.sent,
        notes: task.state === "FAILURE" ? ["redacted", "truncated"] : [],
        sent_marks: [mark("sent", (earlier[0]?.received ?? task.sent) - 0.02)],
        timeline: task.received === null ? [] : [...earlier, { ...last, number: earlier.length + 1 }],
        children: others,
      };
    },
  };
}
