"""Malformed messages by the thousand among valid ones: what is valid is stored, the rest counted, nothing harmed."""

import threading
import time
from collections import Counter
from contextlib import ExitStack
from typing import Any, Self

import msgspec
import psutil

from tests.prove.page import fetch_api, fetch_metrics
from tests.prove.raw import AmqpRaw, RedisRaw, open_raw, task_event
from tests.prove.rubbish import make_rubbish
from tests.prove.stage import Broker, make_broker
from tests.servers import RabbitServer, RedisServer, UmbelServer, free_port, wait_for

#: Kind of rubbish -> the cause it is counted under; kinds with a choice of two are compared as a sum.
CAUSES = {
    "broken JSON": "json", "bytes that are no text": "json", "empty": "json", "deep nesting": "json",
    "pickle": "content-type", "unknown content type": "content-type", "10 MB": "too-big",
    "no object": "not an event", "list of rubbish": "not an event", "wrong type": "not an event",
    "bad timestamp": "not an event", "no envelope": "envelope",
}  # fmt: skip
#: Causes as counted -> as compared.
MERGED = {"not-an-event": "not an event", "timestamp": "not an event", "type": "not an event"}

#: One valid event among so many malformed messages.
EVERY = 20


class Outcome(msgspec.Struct):
    """What `run_bad_input` found."""

    messages: int
    #: Cause -> unreadable events expected, and as counted by the status and by the metrics.
    expected: dict[str, int]
    counted: dict[str, int]
    metered: dict[str, int]
    valid: int
    stored: int
    reconnects: int
    gaps: int
    #: Peak of the sum of resident memory of the monitor's processes, bytes; and before the first message.
    peak: int
    before: int
    seconds: float


class MemoryWatch:
    """The peak of a process family's memory (proportional set size), looked at four times a second."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)
        self.first = self.peak = self._measure()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join(5)

    def _measure(self) -> int:
        total = 0
        for process in [self._root, *self._root.children(recursive=True)]:
            try:
                total += process.memory_full_info().pss
            except psutil.NoSuchProcess:
                continue
        return total

    def _run(self) -> None:
        while not self._stop.wait(0.25):
            self.peak = max(self.peak, self._measure())


def run_bad_input(broker: Broker, *, count: int, huge: int) -> Outcome:
    """Publish `count` malformed messages, `huge` of them of 10 MB, with valid events before, between and after."""
    begun = time.monotonic()
    with ExitStack() as stack:
        server = make_broker(broker)
        stack.enter_context(server)
        monitor = stack.enter_context(UmbelServer(server.url, arguments=(f"--port={free_port()}",)))
        monitor.wait_until_collecting()
        wire = open_raw(server.url)
        stack.enter_context(wire)
        memory = stack.enter_context(MemoryWatch(monitor.pid))
        expected, valid = _send_all(wire, count=count, huge=huge)
        wait_for(
            lambda: _stored(monitor) >= valid,
            60,
            message=lambda: f"{_stored(monitor)} of {valid} valid events stored",
        )
        wait_for(
            lambda: sum(_counted(monitor).values()) >= expected.total(),
            20,
            message=lambda: str(_counted(monitor)),
        )
        status = fetch_api(monitor, "status")
        return Outcome(
            messages=count, expected=dict(expected), counted=_counted(monitor), metered=_metered(monitor), valid=valid,
            stored=_stored(monitor), reconnects=status["reconnects"], gaps=len(fetch_api(monitor, "gaps")["items"]),
            peak=memory.peak, before=memory.first, seconds=time.monotonic() - begun,
        )  # fmt: skip


def _send_all(wire: RedisRaw | AmqpRaw, *, count: int, huge: int) -> tuple[Counter[str], int]:
    """Publish everything; return the expected causes and how many valid events there were."""
    expected: Counter[str] = Counter()
    valid = 0
    for number, rubbish in enumerate(make_rubbish(count, huge=huge)):
        if number % EVERY == 0:
            valid += _send_valid(wire, valid)
        wire.publish(rubbish.body, content_type=rubbish.content_type)
        expected[CAUSES[rubbish.kind]] += rubbish.faults
        if len(rubbish.body) > 2**20:
            # a reader that has more than a few of these to take is cut off by Redis, whoever it is
            time.sleep(0.2)
        elif number % 100 == 0:
            time.sleep(0.02)
    if isinstance(wire, RedisRaw):
        expected.update(_send_bare(wire))
    return expected, valid + _send_valid(wire, valid)


def _send_valid(wire: RedisRaw | AmqpRaw, number: int) -> int:
    event = task_event(
        "task-received", f"valid-{number}", time=time.time(), name="prove.valid", args=f"({number},)"
    )
    wire.publish(msgspec.json.encode([event]))
    return 1


def _send_bare(wire: RedisRaw) -> dict[str, int]:
    """What stands on the event channel without being a message of kombu's; the cause of each."""
    bodies = {
        b"": "envelope",
        b"hello": "envelope",
        b"{}": "envelope",
        b"[]": "envelope",
        b'{"body": 7}': "envelope",
    }
    # an envelope all right, but neither its base64 nor its text is an event
    bodies[b'{"body": "%%%", "properties": {"body_encoding": "base64"}}'] = "json"
    for body in bodies:
        wire.publish_bare(body)
    return Counter(bodies.values())


def _stored(monitor: UmbelServer) -> int:
    names = {row["value"]: row["count"] for row in fetch_api(monitor, "facets")["names"]}
    return int(names.get("prove.valid", 0))


def _merge(causes: dict[str, int]) -> dict[str, int]:
    merged: Counter[str] = Counter()
    for cause, count in causes.items():
        merged[MERGED.get(cause, cause)] += count
    return dict(merged)


def _counted(monitor: UmbelServer) -> dict[str, int]:
    return _merge(fetch_api(monitor, "status")["malformed"])


def _metered(monitor: UmbelServer) -> dict[str, int]:
    """`umbel_malformed_…_total{cause="…"}`."""
    causes = {}
    for sample, value in fetch_metrics(monitor).items():
        if (
            sample.startswith("umbel_")
            and "malformed" in sample
            and 'cause="' in sample
            and "_created" not in sample
        ):
            causes[sample.split('cause="')[1].split('"')[0]] = int(value)
    return _merge(causes)


#: What real workers send and strict JSON refuses: name -> (body with `UUID` in it, field, what must be kept of it).
REPAIRABLE: dict[str, tuple[bytes, str, Any]] = {
    "lone surrogate": (rb'"args": "(\"caf\ud83d\",)"', "args", '("caf\N{REPLACEMENT CHARACTER}",)'),
    "NaN": (b'"args": "(1,)", "runtime": NaN', "args", "(1,)"),
    "infinite load": (b'"args": "(2,)", "loadavg": [Infinity, 1, 1]', "args", "(2,)"),
    "kombu's __type__": (
        b'"eta": {"__type__": "datetime", "__value__": "2031-01-02T03:04:05"}', "eta", "2031-01-02T03:04:05",
    ),
    "kombu's __type__ as id": (b'"root_id": {"__type__": "uuid", "__value__": "6f1c"}', "root_id", "6f1c"),
    "invalid UTF-8": (b'"args": "(\xff,)"', "args", "(\N{REPLACEMENT CHARACTER},)"),
}  # fmt: skip


def run_repairs(server: RedisServer | RabbitServer, monitor: UmbelServer) -> dict[str, dict[str, Any]]:
    """Send one event of each repairable kind; return the stored task of each, by kind."""
    with open_raw(server.url) as wire:
        for number, (body, _, _) in enumerate(REPAIRABLE.values()):
            head = f'"type": "task-received", "uuid": "repair-{number}", "hostname": "raw@prove", "name": "repair"'
            times = f'"timestamp": {time.time()}, "utcoffset": 0, "pid": 7, "clock": 1'
            wire.publish(b"{" + f"{head}, {times}, ".encode() + body + b"}", key="task.received")
    stored = {}
    for number, kind in enumerate(REPAIRABLE):
        path = f"/api/v1/tasks/repair-{number}"
        wait_for(lambda p=path: monitor.get(p).status == 200, 10, message=f"{kind} is not kept")  # type: ignore[misc]
        stored[kind] = monitor.get(path).json()
    return stored
