"""Hundreds of worker names that come and go, as in a cluster of short-lived containers: who is listed in the end?

The workers are simulated: their events are published as a worker publishes them. Half say goodbye, half just vanish.
"""

import re
import time
from contextlib import ExitStack

import msgspec

from tests.prove.page import fetch_api, fetch_metrics
from tests.prove.raw import RedisRaw
from tests.servers import RedisServer, UmbelServer, free_port

#: Seconds between the heartbeats of a simulated worker.
FREQ = 2.0
#: Seconds until a worker that vanished is lost at the latest, as documented; with a look's and a page's delay.
LOST_WITHIN = 30.0
SLACK = 5.0


class Name(msgspec.Struct):
    """One simulated worker. Epoch seconds UTC."""

    hostname: str
    pid: int
    born: float
    dies: float
    says_goodbye: bool
    heard: float = 0.0
    is_over: bool = False


class Look(msgspec.Struct):
    """What was listed at one moment, against who could be."""

    live: int
    listed: int
    #: Live names that are not listed as online.
    missing: list[str]
    #: Names listed although they ended longer ago than the grace period allows.
    stale: list[str]
    #: The same of the `worker` labels in /metrics.
    stale_metrics: list[str]
    #: Seconds that the page took to list them.
    seconds: float


class Churn:
    """Publishes the events of names that are born evenly over a time."""

    def __init__(self, wire: RedisRaw, *, names: int, over: float, life: float) -> None:
        self._wire = wire
        begun = time.time()
        self.names = [
            Name(
                f"celery@pod-{number:04d}",
                1000 + number,
                born := begun + over * number / names,
                born + life,
                number % 2 == 0,
            )
            for number in range(names)
        ]

    def beat(self, now: float) -> bool:
        """Send what is due at `now`; False when every name is over."""
        for name in self.names:
            if name.is_over or name.born > now:
                continue
            if now >= name.dies:
                name.is_over = True
                if name.says_goodbye:
                    self._send(name, "worker-offline", now)
            elif now - name.heard >= FREQ:
                self._send(name, "worker-heartbeat" if name.heard else "worker-online", now)
        return not all(name.is_over for name in self.names)

    def _send(self, name: Name, type_: str, now: float) -> None:
        event = {
            "type": type_, "hostname": name.hostname, "pid": name.pid, "timestamp": now, "utcoffset": 0, "clock": 1,
            "freq": FREQ, "active": 0, "processed": 0, "loadavg": [0.1, 0.1, 0.1], "sw_ident": "py-celery",
            "sw_ver": "5.7.0", "sw_sys": "Linux",
        }  # fmt: skip
        self._wire.publish(msgspec.json.encode(event), key=type_.replace("-", "."))
        name.heard = now


def run_churn(*, names: int, over: float, life: float, grace: float, look_every: float = 5.0) -> list[Look]:
    """`names` workers within `over` seconds, each alive for `life`; looks at the list throughout and at the end."""
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer())
        monitor = stack.enter_context(
            UmbelServer(server.url, arguments=(f"--port={free_port()}", f"--worker_grace={grace:.0f}s"))
        )
        monitor.wait_until_collecting()
        churn = Churn(stack.enter_context(RedisRaw(server.url)), names=names, over=over, life=life)
        looks: list[Look] = []
        next_look = time.time() + look_every
        while churn.beat(now := time.time()):
            if now >= next_look:
                next_look = now + look_every
                looks.append(look(monitor, churn, grace))
            time.sleep(0.1)
        deadline = time.time() + LOST_WITHIN + grace + SLACK
        while fetch_api(monitor, "workers")["items"] and time.time() < deadline:
            time.sleep(0.5)
        looks.append(look(monitor, churn, grace))
        return looks


def look(monitor: UmbelServer, churn: Churn, grace: float) -> Look:
    """Compare the list and the metrics with who lives and who was lost lately."""
    now = time.time()
    begun = time.monotonic()
    rows = {row["hostname"]: row["status"] for row in fetch_api(monitor, "workers")["items"]}
    seconds = time.monotonic() - begun
    labels = {
        found[1] for sample in fetch_metrics(monitor) if (found := re.search(r'worker="([^"]+)"', sample))
    }
    # a name counts as live once it had the time to be listed, and until it dies
    live = {name.hostname for name in churn.names if name.born + 5.0 < now < name.dies}
    recent = {name.hostname for name in churn.names if now - name.heard <= grace + LOST_WITHIN + SLACK}
    return Look(
        live=len(live),
        listed=len(rows),
        missing=sorted(hostname for hostname in live if rows.get(hostname) != "online"),
        stale=sorted(rows.keys() - recent),
        stale_metrics=sorted(labels - recent),
        seconds=seconds,
    )
