"""A deterministic stream of realistic Celery events.

Shapes, sizes and batches are those captured from Celery 5.7 prefork workers: task events leave a worker as lists of
1 to 3 (`task.multi`), task-sent comes alone from the client, heartbeats every 2 s. Their form on the wire is `wire`'s.
"""

import heapq
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Event = dict[str, Any]
#: How task events leave a worker: lists of 1 to 3 as prefork workers send them; one a message as gevent, eventlet and
#: threads do; or lists of 24, Celery's upper bound.
Batch = Literal["worker", "single", "full"]

NAMES = (
    *("shop.tasks.orders.process_order", "shop.tasks.mail.send_confirmation", "reports.build_daily"),
    *("media.thumbs.resize_image", "billing.charge_card", "search.index_document", "crm.sync_contact"),
    *("etl.load_partition", "notifications.push", "housekeeping.expire_sessions"),
)
WORDS = (
    *("alpha", "beta", "gamma", "delta", "order", "invoice", "customer", "picture", "region"),
    *("status", "pending", "shipped", "amount", "currency", "message", "template", "retry", "payload"),
    *("index", "shard", "europe", "north", "upload", "batch", "segment", "token"),
)
TRACEBACK = (
    'Traceback (most recent call last):\n  File "/srv/app/venv/lib/python3.11/site-packages/celery/app/trace.py", '
    "line 564, in trace_task\n    R = retval = fun(*args, **kwargs)\n                 ^^^^^^^^^^^^^^^^^^^^\n"
    '  File "/srv/app/venv/lib/python3.11/site-packages/celery/app/trace.py", line 883, in __protected_call__\n'
    "    return self.run(*args, **kwargs)\n           ^^^^^^^^^^^^^^^^^^^^^^^^^\n"
    '  File "/srv/app/shop/tasks/{module}.py", line {line}, in {function}\n    raise {kind}(msg)\n{kind}: {message}\n'
)
#: Events per message, with their frequency; that of prefork workers was captured from a busy one.
BATCHES: dict[Batch, tuple[int, ...]] = {
    "worker": (1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3),
    "single": (1,),
    "full": (24,),
}
#: Seconds between two heartbeats of a worker.
HEARTBEAT = 2.0
#: Events of a task on average: four of most, seven of those that are retried.
EVENTS_PER_TASK = 4.13


@dataclass(frozen=True, slots=True)
class Message:
    """What one publish carries."""

    routing_key: str
    hostname: str
    events: list[Event]


@dataclass(slots=True)
class Task:
    """A task on its way; `end` is how its current attempt will end."""

    id: str
    name: str
    args: str
    kwargs: str
    end: str
    retries: int = 0
    runtime: float = 0.0


@dataclass(slots=True)
class Worker:
    """A worker with the events that it has not yet sent."""

    hostname: str
    pid: int
    processed: int = 0
    limit: int = 1
    waiting: list[Event] = field(default_factory=list)


class EventStream:
    """Endless events of a cluster that does `rate` events a simulated second, starting at `epoch`.

    Args:
        rate: Task events a second; 0 for a cluster that only beats.
        clock: Where the cluster's logical clock starts: that of the stream before it, for the same cluster later.
    """

    def __init__(
        self,
        epoch: float,
        *,
        seed: int = 1,
        workers: int = 20,
        rate: float = 2000.0,
        batch: Batch = "worker",
        clock: int = 0,
    ) -> None:
        self._chance = random.Random(seed)
        self._epoch = epoch
        self._gap = EVENTS_PER_TASK / rate if rate else None
        self._batch = batch
        self._workers = [Worker(f"celery@worker-{number:04d}", 1000 + number) for number in range(workers)]
        self._agenda: list[tuple[float, int, str, Worker, Task | None]] = []
        self._order = 0
        #: The cluster's logical clock, as the newest event carries it.
        self.clock = clock
        #: Tasks sent so far.
        self.tasks = 0

    def __iter__(self) -> Iterator[Message]:
        for number, worker in enumerate(self._workers):
            self._plan(HEARTBEAT * number / len(self._workers), "heartbeat", worker)
        if self._gap is not None:
            self._plan(0.0, "new", self._workers[0])
        while True:
            moment, _, kind, worker, task = heapq.heappop(self._agenda)
            if kind == "heartbeat":
                self._plan(moment + HEARTBEAT, "heartbeat", worker)
                yield Message("worker.heartbeat", worker.hostname, [self._beat(moment, worker)])
            elif kind == "new":
                self._plan(moment + (self._gap or 0.0), "new", worker)
                yield self._send_task(moment)
            elif task is not None:
                worker.waiting.append(self._report(moment, kind, worker, task))
                if len(worker.waiting) >= worker.limit:
                    worker.limit = self._chance.choice(BATCHES[self._batch])
                    events, worker.waiting = worker.waiting, []
                    key = f"task.{kind}" if self._batch == "single" else "task.multi"
                    yield Message(key, worker.hostname, events)

    def _plan(self, moment: float, kind: str, worker: Worker, task: Task | None = None) -> None:
        self._order += 1
        heapq.heappush(self._agenda, (moment, self._order, kind, worker, task))

    def _head(self, moment: float, kind: str, hostname: str, pid: int) -> Event:
        self.clock += 1
        base = {"hostname": hostname, "utcoffset": 0, "pid": pid, "clock": self.clock}
        return {**base, "timestamp": self._epoch + moment, "type": kind}

    def _beat(self, moment: float, worker: Worker) -> Event:
        load = [round(self._chance.random() * 4, 2) for _ in range(3)]
        counts = {
            "freq": HEARTBEAT,
            "active": self._chance.randrange(9),
            "processed": worker.processed,
            "loadavg": load,
        }
        software = {"sw_ident": "py-celery", "sw_ver": "5.7.0", "sw_sys": "Linux"}
        return {**self._head(moment, "worker-heartbeat", worker.hostname, worker.pid), **counts, **software}

    def _send_task(self, moment: float) -> Message:
        chance = self._chance
        self.tasks += 1
        task = Task(
            id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            name=chance.choice(NAMES),
            args=f"('{self._text(50, 500)}', {chance.randrange(10**6)})",
            kwargs=f"{{'{chance.choice(WORDS)}': '{self._text(50, 500)}', 'tenant': {chance.randrange(500)}}}",
            end=chance.choices(("succeeded", "failed", "retried"), (92, 4, 4))[0],
        )
        self._plan(moment + 0.002, "received", chance.choice(self._workers), task)
        client = f"gen900@web-{self.tasks % 8:02d}"
        route = {"queue": "celery", "exchange": "", "routing_key": "celery"}
        head = self._head(moment, "task-sent", client, 900)
        return Message("task.sent", client, [{**head, **describe(task), **route}])

    def _report(self, moment: float, kind: str, worker: Worker, task: Task) -> Event:
        """Return the event `task-<kind>` and plan what follows it."""
        event = {**self._head(moment, f"task-{kind}", worker.hostname, worker.pid), "uuid": task.id}
        if kind == "received":
            self._plan(moment + self._chance.expovariate(20), "started", worker, task)
            return {**event, **describe(task)}
        if kind == "started":
            task.runtime = self._chance.lognormvariate(-2, 1)
            self._plan(moment + min(task.runtime, 5.0), task.end, worker, task)
            return event
        worker.processed += kind != "retried"
        if kind == "succeeded":
            result = f"{{'status': '{self._text(50, 500)}', 'id': {self._chance.randrange(10**6)}}}"
            return {**event, "result": result, "runtime": task.runtime}
        if kind == "retried":
            task.retries, task.end = task.retries + 1, "succeeded"
            self._plan(moment + 1.0, "received", worker, task)
        return {**event, **self._fail(task, "ValueError" if kind == "failed" else "ConnectionError")}

    def _fail(self, task: Task, kind: str) -> Event:
        message = self._text(30, 120)
        module, function = task.name.rsplit(".", 1)
        line = self._chance.randrange(500)
        trace = TRACEBACK.format(module=module, line=line, function=function, kind=kind, message=message)
        return {"exception": f"{kind}('{message}')", "traceback": trace}

    def _text(self, least: int, most: int) -> str:
        """Return words of log-uniform total length."""
        size = int(least * (most / least) ** self._chance.random())
        words: list[str] = []
        while size > sum(map(len, words)) + len(words):
            words.append(self._chance.choice(WORDS))
        return " ".join(words)[:size]


def describe(task: Task) -> Event:
    """Return the fields that task-sent and task-received share."""
    family = {"root_id": task.id, "parent_id": None, "eta": None, "expires": None}
    return {
        "uuid": task.id,
        "name": task.name,
        "args": task.args,
        "kwargs": task.kwargs,
        "retries": task.retries,
        **family,
    }
