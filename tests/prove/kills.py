"""A monitor killed again and again under load: is every start clean, and does every sum still equal its rows?"""

import random
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

import msgspec

from tests.prove.page import fetch_api
from tests.prove.recount import recount
from tests.prove.stage import ROOT
from tests.servers import RedisServer, Server, UmbelServer, free_port


class Kills(msgspec.Struct):
    """What `run_kills` found."""

    kills: int = 0
    starts: int = 0
    #: Seconds from launch to the first HTTP answer.
    slowest_start: float = 0.0
    tasks: int = 0
    events: int = 0
    gaps: int = 0
    recounts: int = 0
    differences: list[str] = msgspec.field(default_factory=list)
    seconds: float = 0.0


def run_kills(
    kills: int, *, rate: float, patience: float = 10.0, recount_every: int = 10, seed: int = 100
) -> Kills:
    """Kill the monitor's process group `kills` times at random moments while `rate` events a second come in.

    Raises:
        AssertionError: A start did not answer within `patience` seconds.
    """
    rng = random.Random(seed)
    found = Kills()
    begun = time.monotonic()
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer())
        load = EventLoad(server.url, rate=rate)
        stack.callback(load.close)
        load.launch()
        history = load.folder / "history.sqlite3"
        monitor = UmbelServer(
            server.url, arguments=(f"--db={history}", f"--port={free_port()}", "--address=127.0.0.1")
        )
        stack.callback(monitor.close)
        for number in range(kills):
            _start(monitor, found, patience)
            # half of the kills hit a monitor that collects, half one that is still starting
            if number % 2:
                monitor.wait_until_collecting(60)
            time.sleep(rng.uniform(0.0, 2.0))
            assert load.is_running(), load.log()
            monitor.kill9()
            found.kills += 1
            if number % recount_every == recount_every - 1:
                found.recounts += 1
                found.differences += recount(history).differences
        _start(monitor, found, patience)
        monitor.wait_until_collecting()
        found.gaps = len(fetch_api(monitor, "gaps?limit=1000")["items"])
        monitor.terminate()
        final = recount(history)
        found.recounts += 1
        found.differences += final.differences
        found.tasks, found.events = final.tasks, final.events
    found.seconds = time.monotonic() - begun
    return found


def _start(monitor: UmbelServer, found: Kills, patience: float) -> None:
    launched = time.monotonic()
    monitor.launch()
    monitor.wait_until_ready(patience)
    assert monitor.get("/").status == 200
    found.slowest_start = max(found.slowest_start, time.monotonic() - launched)
    found.starts += 1


class EventLoad(Server):
    """`tests.prove.load` as a child process."""

    name = "load"

    def __init__(self, broker: str, *, rate: float) -> None:
        super().__init__(environment={"PYTHONPATH": str(ROOT)})
        self._broker = broker
        self._rate = rate

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "tests.prove.load", self._broker, str(self._rate)]

    def is_ready(self) -> bool:
        return self.is_running()
