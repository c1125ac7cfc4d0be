"""A broker that goes away and comes back, again and again: how soon the monitor says so, and how soon it hears again.

A small publisher sends one task event every 0.25 s whenever the broker takes it, so that the workers' own reconnecting
is not measured.
"""

import threading
import time
from contextlib import ExitStack
from typing import Any, Literal
from uuid import uuid4

import amqp
import msgspec
import redis

from tests.prove.page import fetch_api, fetch_status_code
from tests.prove.raw import open_raw, task_event
from tests.prove.stage import Broker, make_broker
from tests.prove.watch import ReadinessWatch
from tests.servers import RabbitServer, RedisServer, UmbelServer, free_port, wait_for

Way = Literal["restart", "freeze"]

#: What brokers' clients raise while the broker is away.
AWAY = (OSError, amqp.AMQPError, redis.RedisError)


class Beacon:
    """Publishes one task event after another, each with an id that tells when it was sent."""

    INTERVAL = 0.25

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="beacon", daemon=True)
        #: (sent at, task id), for those that the broker took.
        self.sent: list[tuple[float, str]] = []

    def __enter__(self) -> "Beacon":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join(15)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with open_raw(self._url, timeout=1.0) as line:
                    while not self._stop.wait(self.INTERVAL):
                        self._send(line)
            except AWAY:
                self._stop.wait(self.INTERVAL)

    def _send(self, line: Any) -> None:
        uuid, now = str(uuid4()), time.time()
        event = task_event("task-received", uuid, time=now, name="prove.beacon", hostname="beacon@prove")
        line.publish(msgspec.json.encode(event), key="task.received")
        self.sent.append((now, uuid))


class Outage(msgspec.Struct):
    """One absence of the broker. Epoch seconds UTC."""

    way: Way
    begun: float
    #: The broker answers again.
    back: float
    #: Readiness was seen to be lost; None: it was not before the broker was back.
    red: float | None = None
    #: The first event sent after `back` was stored.
    resumed: float | None = None


class Outcome(msgspec.Struct):
    """What `run_outages` found."""

    outages: list[Outage]
    #: Outages that no listed gap overlaps.
    unlisted: list[Outage]
    gaps: int
    reconnects: int


def run_outages(broker: Broker, absences: list[tuple[Way, float]], *, patience: float = 40.0) -> Outcome:
    """Take the broker away for each of `absences` (how, for how many seconds) in turn."""
    with ExitStack() as stack:
        server = make_broker(broker)
        stack.enter_context(server)
        monitor = stack.enter_context(UmbelServer(server.url, arguments=(f"--port={free_port()}",)))
        monitor.wait_until_collecting()
        watch = stack.enter_context(ReadinessWatch(monitor.url))
        beacon = stack.enter_context(Beacon(server.url))
        wait_for(lambda: _first_stored(monitor, beacon, 0.0), 20, message="the first event is not stored")
        outages = []
        for way, seconds in absences:
            outage = _take_away(server, way, seconds)
            outage.red = watch.first(False, outage.begun)
            outages.append(outage)
            outage.resumed = _wait_for_events(monitor, beacon, outage.back, patience)
            wait_for(lambda: fetch_status_code(f"{monitor.url}/health/ready") == 200, patience)
        gaps = fetch_api(monitor, "gaps")["items"]
        reconnects = fetch_api(monitor, "status")["reconnects"]
        unlisted = [outage for outage in outages if not any(_covers(gap, outage) for gap in gaps)]
        return Outcome(outages, unlisted, len(gaps), reconnects)


def _take_away(server: RedisServer | RabbitServer, way: Way, seconds: float) -> Outage:
    begun = time.time()
    if way == "freeze":
        server.freeze()
        time.sleep(seconds)
        server.thaw()
    else:
        server.stop(timeout=30)
        time.sleep(seconds)
        server.start()
    return Outage(way, begun, time.time())


def _covers(gap: dict[str, Any], outage: Outage) -> bool:
    """The gap begins before the outage ends, and ends after it has begun."""
    return bool(gap["start"] <= outage.back and (gap["end"] is None or gap["end"] >= outage.begun))


def _wait_for_events(monitor: UmbelServer, beacon: Beacon, after: float, patience: float) -> float:
    wait_for(
        lambda: _first_stored(monitor, beacon, after),
        patience,
        message=lambda: f"no events:\n{monitor.log()[-3000:]}",
    )
    return time.time()


def _first_stored(monitor: UmbelServer, beacon: Beacon, after: float) -> bool:
    """The history holds an event sent after `after`."""
    answer = fetch_api(monitor, "tasks?sort=-received&limit=1")
    items = answer["items"]
    return bool(items) and items[0]["received"] > after


def run_before_broker(broker: Broker) -> dict[str, float]:
    """Start the monitor before there is a broker: seconds until the page, a status and the first task."""
    with ExitStack() as stack:
        server = make_broker(broker)
        stack.callback(server.close)
        monitor = UmbelServer(server.url, arguments=(f"--port={free_port()}",))
        stack.callback(monitor.close)
        begun = time.monotonic()
        monitor.start()
        page = monitor.get("/")
        assert page.status == 200, f"the page: {page.status}"
        answered = time.monotonic() - begun
        status = fetch_api(monitor, "status")
        assert status["ready"] is False, status
        assert status["state"] in ("connecting", "absent"), status
        assert fetch_status_code(f"{monitor.url}/health/ready") == 503
        assert fetch_status_code(f"{monitor.url}/health/live") == 200
        wait_for(
            lambda: "refused" in (fetch_api(monitor, "status")["error"] or ""), 30,
            message=lambda: f"does not say why: {fetch_api(monitor, 'status')}",
        )  # fmt: skip
        server.start()
        back, back_at = time.monotonic(), time.time()
        with Beacon(server.url) as beacon:
            wait_for(
                lambda: _first_stored(monitor, beacon, back_at), 40, message=lambda: monitor.log()[-3000:]
            )
            return {
                "page answered after (s)": answered,
                "first task after the broker's start (s)": time.monotonic() - back,
            }
