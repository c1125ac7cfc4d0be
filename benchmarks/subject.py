"""A monitor under measurement, alone on a Redis of its own: start, CPU and memory of its whole process tree, stop."""

import http.client
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import psutil

from tests.compat.flower_install import fetch_flower_python
from umbel.demo.process import Child, stop_all

Kind = Literal["flower", "umbel"]
#: Room for every task of a run, so that nobody evicts while being measured.
MAX_TASKS = 10_000_000


class Subject:
    """Flower 2.2.0 or Umbel with the same options, and its Redis with the pub/sub buffer limit off."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        """Start both and wait until the monitor listens to events."""
        self.kind = kind
        self.redis_port, self.port = find_free_port(), find_free_port()
        environment = {**os.environ, "FLOWER_UNAUTHENTICATED_API": "true"}
        server = shutil.which("redis-server") or shutil.which("valkey-server")
        if server is None:
            raise FileNotFoundError("the benchmark needs redis-server or valkey-server")
        limits = ("--client-output-buffer-limit", "pubsub 0 0 0")
        command = [server, "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", "", *limits]
        self._redis = Child("redis", command, folder=folder, environment=environment)
        wait_until(lambda: accepts(self.redis_port), 10, "Redis")
        python = str(fetch_flower_python()) if kind == "flower" else sys.executable
        celery = [python, "-m", "celery", "-q", "-b", f"redis://127.0.0.1:{self.redis_port}/0"]
        options = [
            f"--port={self.port}",
            "--address=127.0.0.1",
            f"--max_tasks={MAX_TASKS}",
            f"--db={folder / 'history'}",
        ]
        self._monitor = Child(
            "monitor", [*celery, "flower", *options], folder=folder, environment=environment
        )
        try:
            wait_until(self._listens, 60, kind)
        except TimeoutError as error:
            words = "\n".join(self._monitor.read_last_lines())
            self.stop()
            raise TimeoutError(f"{error}\n{words}") from error

    def stop(self) -> None:
        """End the monitor, then Redis."""
        stop_all([self._monitor], patience=20)
        stop_all([self._redis], patience=5)

    def _listens(self) -> bool:
        """Tell whether it answers and hears events; Umbel says itself when its own probe came back."""
        if self._monitor.fetch_exit_code() is not None:
            raise ChildProcessError("\n".join(self._monitor.read_last_lines()))
        try:
            if self.kind == "umbel":
                return self.fetch("/health/ready")[0] == 200
            return self.fetch("/healthcheck")[0] == 200 and self._count_patterns() > 0
        except OSError:
            return False

    def _count_patterns(self) -> int:
        with socket.create_connection(("127.0.0.1", self.redis_port), timeout=5) as connection:
            connection.sendall(b"PUBSUB NUMPAT\r\n")
            return int(connection.recv(64).strip().removeprefix(b":"))

    def fetch(self, target: str) -> tuple[int, bytes]:
        """Return status and body of a GET."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request("GET", target)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def fetch_task(self, task_id: str) -> dict[str, Any] | None:
        """Return a task as Flower's API tells it, None where it is unknown."""
        status, body = self.fetch(f"/api/task/info/{task_id}")
        if status != 200:
            return None
        task: dict[str, Any] = json.loads(body)
        return task

    def count_tasks(self) -> int:
        """Return how many tasks it says it has."""
        paging = "draw=1&start=0&length=1&order[0][column]=0&order[0][dir]=asc&columns[0][data]=name&search[value]="
        return int(json.loads(self.fetch(f"/tasks/datatable?{paging}")[1])["recordsTotal"])

    def count_task_events(self) -> dict[str, int]:
        """Return the task events that it has counted, by type."""
        counts: dict[str, int] = {}
        for line in self.fetch("/metrics")[1].decode().splitlines():
            if line.startswith("flower_events_total{"):
                kind = line.split('type="', 1)[1].split('"', 1)[0]
                counts[kind] = counts.get(kind, 0) + int(float(line.rsplit(" ", 1)[1]))
        return counts

    def measure_cpu(self) -> float:
        """Return the CPU seconds used so far by the process, its children and those that have ended."""
        seconds = 0.0
        for process in self._walk_processes():
            times = process.cpu_times()
            seconds += times.user + times.system
        ended = psutil.Process(self._monitor.pid).cpu_times()
        return seconds + float(ended.children_user + ended.children_system)

    def measure_memory(self) -> int:
        """Return the sum of the proportional set sizes of all processes, in bytes."""
        return sum(process.memory_full_info().pss for process in self._walk_processes())

    def _walk_processes(self) -> list[psutil.Process]:
        root = psutil.Process(self._monitor.pid)
        return [root, *root.children(recursive=True)]


def wait_until(condition: Callable[[], bool], seconds: float, what: str, pause: float = 0.05) -> None:
    """Poll `condition` every `pause` seconds until it holds.

    Raises:
        TimeoutError: It did not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(pause)


def accepts(port: int) -> bool:
    """Tell whether something listens on `port` of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def find_free_port() -> int:
    """Return a port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
