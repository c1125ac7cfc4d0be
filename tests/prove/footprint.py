"""What Umbel leaves at a broker by asking workers: keys, queues, bindings and connections, before and after."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

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
        # its own queues are there once it has answered
        worker.wait_until_answering()
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
    """Names of keys, their members, and our connections."""
    with server.client(database) as client:
        keys = sorted(key.decode() for key in client.keys("*"))
        bindings = {
            key: sorted(member.decode() for member in client.smembers(key))
            for key in keys
            if client.type(key) == b"set"
        }
        return {
            "keys": keys,
            "bindings": bindings,
            "connections": count_connections(server.port),
        }


def look_at_rabbitmq(server: RabbitServer, virtual_host: str) -> Traces:
    """Queues and bindings of one virtual host, and our connections."""

    def names(what: str) -> list[str]:
        rows = server.manage("GET", f"{what}/{virtual_host}").json()
        return sorted(str(row.get("name") or (row["source"], row["destination"])) for row in rows)

    return {
        "queues": names("queues"),
        "bindings": names("bindings"),
        "connections": count_connections(server.port),
    }


def count_connections(port: int) -> int:
    """How many connections this process, in which the inspector lives, has to a broker's port."""
    return sum(
        connection.status == psutil.CONN_ESTABLISHED and connection.raddr.port == port
        for connection in psutil.Process().net_connections("tcp")
    )
