"""What Umbel leaves at a broker by asking workers: keys, queues, bindings and connections, before and after."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.apps.tasks import make_app
from tests.servers import CeleryWorker, RabbitServer, RedisServer, wait_for
from umbel.control.inspect import BRIEF, FULL, Inspector
from umbel.control.switchboard import Switchboard

#: What one broker holds, as far as asking could leave something there.
Traces = dict[str, Any]


@dataclass(frozen=True)
class Footprint:
    """Of a number of cycles."""

    cycles: int
    answers: int
    seconds: float
    before: Traces
    during: Traces
    after: Traces


def run_cycles(broker: str, cycles: int, look: Callable[[], Traces]) -> Footprint:
    """Ask one real worker everything, `cycles` times, over one inspector; look before, in the middle and after."""
    with CeleryWorker(broker) as worker:
        # its own queues and connections are there once it has answered
        app = make_app(broker)
        wait_for(lambda: app.control.ping([worker.hostname], timeout=5.0), 30.0)
        app.close()
        before = wait_for(lambda: settled(look), 30.0)
        switchboard = Switchboard(make_app(broker))
        inspector = Inspector(switchboard, timeout=5.0, fetch_workers=list, on_evidence=lambda _: None)
        answers = 0
        during: Traces = {}
        began = time.monotonic()
        for cycle in range(cycles):
            inspector.refresh(worker.hostname)
            answers += len(inspector.get_worker(worker.hostname).keys() & {*BRIEF, *FULL})
            if cycle == cycles // 2:
                during = look()
        seconds = time.monotonic() - began
        inspector.stop()
        switchboard.stop()
        after = wait_for(lambda: settled(look), 30.0)
        return Footprint(cycles, answers, seconds, before, during, after)


def settled(look: Callable[[], Traces]) -> Traces:
    """What is there, if it is the same half a second later, else nothing: management figures lag behind."""
    first = look()
    time.sleep(0.5)
    return first if look() == first else {}


def look_at_redis(server: RedisServer, database: int) -> Traces:
    """Names of keys, their members, and how many connections and subscriptions there are."""
    with server.client(database) as client:
        keys = sorted(key.decode() for key in client.keys("*"))
        bindings = {
            key: sorted(member.decode() for member in client.smembers(key))
            for key in keys
            if client.type(key) == b"set"
        }
        # but for this one
        return {
            "keys": keys,
            "bindings": bindings,
            "connections": len([known for known in client.client_list() if int(known["db"]) == database]) - 1,
        }


def look_at_rabbitmq(server: RabbitServer, virtual_host: str) -> Traces:
    """Queues, bindings and connections of one virtual host."""

    def names(what: str) -> list[str]:
        rows = server.manage("GET", f"{what}/{virtual_host}").json()
        return sorted(str(row.get("name") or (row["source"], row["destination"])) for row in rows)

    rows = server.manage("GET", f"vhosts/{virtual_host}/connections").json()
    return {"queues": names("queues"), "bindings": names("bindings"), "connections": len(rows)}
