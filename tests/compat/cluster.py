"""One broker, two prefork workers, and a Flower and a candidate per variant, there before the first task.

Everything runs in a temporary folder as child processes of their own group; `stop` ends them all.
"""

import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.compat.flower_install import fetch_flower_python
from tests.servers import RabbitServer, RedisServer
from umbel.demo.process import Child, stop_all

Broker = Literal["redis", "rabbitmq"]

#: Basic-auth users of the variant `basic`.
USERS = ("anna:s3cret", "bert:pass word")
#: Of every process, so that local times and UTC differ, by more than whole hours.
ZONE = "Asia/Kolkata"
WORKERS = {"one@compat": "celery", "two@compat": "second"}
#: Workers that are gone before anything is compared, and how they went.
GONE = {"left@compat": signal.SIGTERM, "killed@compat": signal.SIGKILL}
#: A worker that scales itself and comes after all reads, for the commands.
LATE = "late@compat"
#: What Flower asks all workers at its start. (It never asks again by itself.)
FIRST_QUESTIONS = ("stats", "active_queues", "registered", "conf")
OPEN = {"FLOWER_UNAUTHENTICATED_API": "true"}


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to start a monitor: its options and environment, the same for both."""

    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


VARIANTS: Mapping[str, Variant] = {
    "open": Variant(environment=OPEN),
    "closed": Variant(),
    "basic": Variant((f"--basic_auth={','.join(USERS)}",)),
    "prefix": Variant(("--url_prefix=/mon/itor/",), OPEN),
    "read_only": Variant(("--read_only",), OPEN),
    "purge": Variant(("--purge_offline_workers=0",), OPEN),
}


@dataclass(slots=True)
class Monitor:
    """A running monitor: `kind` is `flower` or `umbel`."""

    kind: str
    variant: str
    port: int
    child: Child


class Cluster:
    """Starts and stops the whole comparison; `pairs` are (Flower, candidate) by variant."""

    def __init__(self, folder: Path, candidate: str = "umbel", broker: Broker = "redis") -> None:
        self._folder = folder
        self._candidate = candidate
        self._broker = broker
        self._servers = ExitStack()
        self._children: list[Child] = []
        self._workers: list[int] = []
        self._passing: dict[str, Child] = {}
        self.url = ""
        self._results = ""
        self._options: list[str] = []
        self.pairs: dict[str, tuple[Monitor, Monitor]] = {}

    def start(self) -> None:
        """Start the servers, then every monitor, wait until all answer and have asked for workers, then those."""
        redis = self._servers.enter_context(RedisServer())
        self.url, self._results = redis.url_of(0), redis.url_of(1)
        if self._broker == "rabbitmq":
            rabbitmq = self._servers.enter_context(RabbitServer(management=True))
            self.url = rabbitmq.url
            self._options = [f"--broker_api={rabbitmq.management_url}"]
        for variant in VARIANTS:
            pair = self._start_monitor("flower", variant, 0), self._start_monitor(self._candidate, variant, 1)
            self.pairs[variant] = pair
        for pair in self.pairs.values():
            for monitor in pair:
                self._wait_for(monitor)
        for name, queues in WORKERS.items():
            arguments = ("worker", "-n", name, "-Q", queues, "-c", "3", "-l", "WARNING")
            command = [sys.executable, "-m", "celery", *self._celery_arguments(), *arguments]
            self._workers.append(self._start(name, command).pid)

    def start_passing_workers(self) -> None:
        """Start the workers of `GONE`."""
        for name in GONE:
            arguments = ("worker", "-n", name, "-Q", f"z-{name}", "-P", "solo", "-l", "WARNING")
            command = [sys.executable, "-m", "celery", *self._celery_arguments(), *arguments]
            self._passing[name] = self._start(name, command)

    def send_farewells(self) -> None:
        """Have each worker of `GONE` do a task."""
        self._send("farewell", *(f"z-{name}" for name in GONE))

    def end_passing_workers(self) -> None:
        """End each worker of `GONE` in its way."""
        for name, sign in GONE.items():
            os.kill(self._passing[name].pid, sign)
            if not self._passing[name].wait(time.monotonic() + 20):
                raise TimeoutError(f"{name} does not end")

    def start_late_worker(self) -> None:
        """Start the worker of `LATE`."""
        arguments = ("worker", "-n", LATE, "-Q", "z-late", "--autoscale=2,1", "-l", "WARNING")
        settings = ("--", "worker.pool_restarts=true")
        command = [sys.executable, "-m", "celery", *self._celery_arguments(), *arguments, *settings]
        self._start(LATE, command)

    def send_tasks(self) -> dict[str, str]:
        """Send all the tasks; return their ids by the names that `cases` use."""
        sent = self._folder / "ids.json"
        self._send("all", str(sent), *map(str, self._workers))
        ids: dict[str, str] = json.loads(sent.read_text())
        return ids

    def _send(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "tests.compat.traffic", self.url, self._results, *arguments]
        child = self._start("traffic", command)
        if not child.wait(time.monotonic() + 180) or child.fetch_exit_code():
            raise RuntimeError("\n".join(child.read_last_lines(30)))

    def stop(self) -> None:
        """End every process, servers last; workers that hold tasks don't end by themselves."""
        stop_all(self._children, patience=2)
        self._servers.close()

    def read_log(self, monitor: Monitor) -> str:
        """Return the end of a monitor's log, for messages of failed tests."""
        return "\n".join(monitor.child.read_last_lines(30))

    def _celery_arguments(self) -> list[str]:
        return ["-q", "-A", "sample_app", "-b", self.url, "--result-backend", self._results]

    def _start_monitor(self, kind: str, variant: str, number: int) -> Monitor:
        """Both get the same command line, but for the interpreter."""
        python = str(fetch_flower_python()) if kind == "flower" else sys.executable
        port = find_free_port()
        name = f"{variant}-{kind}-{number}"
        options = [f"--port={port}", "--address=127.0.0.1", f"--db={self._folder / name}.history"]
        options += self._options
        chosen = VARIANTS[variant]
        command = [python, "-m", "celery", *self._celery_arguments(), "flower", *options, *chosen.options]
        return Monitor(kind, variant, port, self._start(name, command, chosen.environment))

    def _start(self, name: str, command: list[str], environment: Mapping[str, str] | None = None) -> Child:
        clean = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("FLOWER_", "UMBEL_", "CELERY_"))
        }
        here = Path(__file__).parent
        paths = {"PYTHONPATH": os.pathsep.join((str(here), str(here.parents[1]))), "TZ": ZONE}
        child = Child(
            name, command, folder=self._folder, environment={**clean, **paths, **(environment or {})}
        )
        self._children.append(child)
        return child

    def _wait_for(self, monitor: Monitor) -> None:
        prefix = "/mon/itor" if monitor.variant == "prefix" else ""
        url = f"http://127.0.0.1:{monitor.port}{prefix}/healthcheck"
        try:
            wait_until(lambda: answers(url), 60, monitor.child.name)
            if monitor.kind == "umbel":
                ready = url.replace("/healthcheck", "/health/ready")
                wait_until(lambda: answers(ready), 60, f"{monitor.child.name} ready")
            else:
                wait_until(lambda: has_asked(monitor), 60, f"{monitor.child.name}'s inspection at its start")
        except TimeoutError as error:
            raise RuntimeError(f"{error}\n{self.read_log(monitor)}") from error


def wait_until(condition: object, seconds: float, what: str) -> None:
    """Poll `condition` until it holds.

    Raises:
        TimeoutError: It did not within `seconds`.
    """
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.1)


def has_asked(flower: Monitor) -> bool:
    """Tell whether a Flower has inspected at its start, when nobody was there: each of its questions failed."""
    log = flower.child.log.read_text("utf-8", "replace")
    return all(f"Inspect method {method} failed" in log for method in FIRST_QUESTIONS)


def answers(url: str) -> bool:
    """Tell whether `url` gives a 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return False
    except OSError:
        return False


def find_free_port() -> int:
    """Return a port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
