"""A monitor under measurement: Flower 2.2.0 or Umbel, started by its command line; its CPU, memory, files and answers.

Leaves the broker and what is sent through it to `run`.
"""

import http.client
import json
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import psutil

from benchmarks.event_stream import Event, Message
from benchmarks.wire import connect, encode_rabbitmq, encode_redis
from tests.compat.flower_install import fetch_flower_python
from tests.servers import Server, free_port

Kind = Literal["flower", "umbel"]
#: Both, in the order in which they take turns.
KINDS: tuple[Kind, Kind] = ("flower", "umbel")

#: A share of one core below which a monitor counts as having nothing to do.
QUIET = 0.1
#: Seconds for which it must have nothing to do: longer than work is put off. Umbel's search index waits 5 s for more.
QUIET_TIME = 7
#: Seconds that an answer may take: Flower gives it after all that came before, which is minutes with a million tasks.
ANSWERED_WITHIN = 900


class Subject(Server):
    """One monitor on one broker.

    Args:
        options: More of its options, as on its command line.
        max_tasks: None leaves it at the monitor's own default: 100,000 in Flower, no bound in Umbel.
    """

    name = "monitor"
    patience = 120.0

    def __init__(
        self,
        kind: Kind,
        broker_url: str,
        *,
        max_tasks: int | None = None,
        options: Sequence[str] = (),
        folder: Path | None = None,
    ) -> None:
        super().__init__(folder=folder, environment={"FLOWER_UNAUTHENTICATED_API": "true"})
        self.kind = kind
        self.port = free_port()
        self._broker_url = broker_url
        self._options = [*options, *([] if max_tasks is None else [f"--max_tasks={max_tasks}"])]

    def command(self) -> Sequence[str]:
        """Return the same words for both, but for the interpreter."""
        python = str(fetch_flower_python()) if self.kind == "flower" else sys.executable
        celery = [python, "-m", "celery", "-q", "-b", self._broker_url, "flower"]
        return [*celery, f"--port={self.port}", "--address=127.0.0.1", f"--db={self.history}", *self._options]

    @property
    def history(self) -> Path:
        """Where it is told to keep its history."""
        return self.folder / "history"

    def is_ready(self) -> bool:
        """Tell whether it hears events: Umbel says so itself, Flower shows it by the sender of one sent to it."""
        if self.kind == "umbel":
            return self.fetch("/health/ready")[0] == 200
        if self.fetch("/healthcheck")[0] != 200:
            return False
        self._send_heartbeat()
        return b"flower_worker_online{" in self.fetch("/metrics")[1]

    def _send_heartbeat(self) -> None:
        """Send one of a worker of the stream, which it would hear of anyway."""
        beat: Event = {"type": "worker-heartbeat", "hostname": "celery@worker-0000", "pid": 1000, "clock": 1}
        beat |= {"utcoffset": 0, "timestamp": time.time(), "freq": 2.0, "active": 0, "processed": 0}
        message = Message("worker.heartbeat", "celery@worker-0000", [beat])
        sender = connect(self._broker_url)
        is_redis = self._broker_url.startswith("redis:")
        sender.send(encode_redis(message, uuid.uuid4()) if is_redis else encode_rabbitmq(message))
        sender.finish()

    def fetch(self, target: str) -> tuple[int, bytes]:
        """Return status and body of a GET."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWERED_WITHIN)
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

    def count_events(self) -> dict[str, int]:
        """Return the events that it has counted since its history began, by type."""
        return count_events(self.fetch("/metrics")[1].decode())

    def count_workers(self) -> int:
        """Return how many workers its metrics tell of."""
        return self.fetch("/metrics")[1].count(b"\nflower_worker_online{")

    def fetch_gauge(self, name: str) -> float | None:
        """Return the value of a metric without labels, None where there is none of that name."""
        for line in self.fetch("/metrics")[1].decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.split(" ")[1])
        return None

    def measure_cpu(self) -> float:
        """Return the CPU seconds used so far by the whole tree, those that have ended included."""
        return sum(sum(process.cpu_times()[:4]) for process in self.walk_processes())

    def measure_run_time(self) -> float:
        """Return the seconds that the living threads of the tree have run, to the nanosecond where the system tells.

        For idle monitors: CPU times come in steps of 0.01 s, more than Flower then uses in ten seconds.
        """
        threads = [
            path / "schedstat"
            for process in self.walk_processes()
            for path in Path(f"/proc/{process.pid}/task").glob("*")
        ]
        try:
            return sum(int(path.read_text().split()[0]) for path in threads) / 1e9 or self.measure_cpu()
        except OSError:
            return self.measure_cpu()

    def measure_memory(self) -> int:
        """Return the sum of the proportional set sizes of all processes, in bytes."""
        return sum(int(process.memory_full_info().pss) for process in self.walk_processes())

    def measure_files(self) -> int:
        """Return the bytes of everything that it keeps on disk."""
        return sum(path.stat().st_size for path in self.folder.glob("history*") if path.is_file())

    def walk_processes(self) -> list[psutil.Process]:
        """Return the monitor's process and all its descendants."""
        root = psutil.Process(self.pid)
        return [root, *root.children(recursive=True)]

    def wait_until_quiet(self, seconds: float = 600.0) -> None:
        """Return when it has nothing left to do: next to no CPU for `QUIET_TIME` seconds."""
        deadline = time.monotonic() + seconds
        quiet = 0
        while quiet < QUIET_TIME:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.kind} still works after {seconds} s")
            cpu, began = self.measure_cpu(), time.monotonic()
            time.sleep(1)
            idle = (self.measure_cpu() - cpu) / (time.monotonic() - began) < QUIET
            quiet = quiet + 1 if idle else 0


def count_events(exposition: str) -> dict[str, int]:
    """Return Flower's event totals by type, summed over workers and task names."""
    counts: dict[str, int] = {}
    for line in exposition.splitlines():
        if line.startswith("flower_events_total{"):
            kind = line.split('type="', 1)[1].split('"', 1)[0]
            counts[kind] = counts.get(kind, 0) + int(float(line.rsplit(" ", 1)[1]))
    return counts


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
