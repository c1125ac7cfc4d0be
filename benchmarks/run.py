"""One monitor, alone on a broker of its own, given bursts and paced loads of a stream and held to every event."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from benchmarks.burst import Burst, BurstBuilder
from benchmarks.event_stream import EVENTS_PER_TASK, Batch, Event, EventStream
from benchmarks.pacer import Paced
from benchmarks.subject import Kind, Subject, wait_until
from benchmarks.wire import connect
from tests.servers import RabbitServer, RedisServer

BrokerKind = Literal["redis", "rabbitmq"]

#: Flower's own bound of tasks.
CAP = 100_000
#: Events that may be on their way at once: two of Umbel's chunks and what is being read, so that it never waits.
BURST = 80_000
#: Of more events than that so many are sent at a time, each time when as many became visible.
PORTION = BURST // 4
#: Events that Flower takes from RabbitMQ before they are 5 s old, which is when RabbitMQ drops them.
LOSSY_BURST = 5_000
#: Seconds after which a burst counts as never taken in.
PATIENCE = 900.0
#: Seconds between two looks for the last row: often enough for the clock, too seldom to be a load of its own.
LOOK = 0.05
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Setting:
    """What is measured on what. `default_limit` keeps Redis' own bound on what may wait for a slow subscriber."""

    kind: Kind
    broker: BrokerKind = "redis"
    batch: Batch = "worker"
    workers: int = 20
    max_tasks: int | None = None
    default_limit: bool = False
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one burst cost. `lost` counts the events and rows that were sent and never arrived, so far in the run."""

    kind: Kind
    tasks: int
    #: Events that arrived of those that were sent in this burst.
    events: int
    seconds: float
    cpu_seconds: float
    lost: int
    memory: int
    late: float = 0.0

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def cost(self) -> float:
        """CPU seconds for 100,000 events."""
        return self.cpu_seconds / self.events * 100_000


class Run:
    """A context: broker and monitor run in it, each on free ports of loopback with files in a temporary folder.

    Args:
        history: A folder with a history to begin with; it is used as it lies, and written to.
        sampled: One in so many tasks has its events remembered, in `sample`.
    """

    def __init__(self, setting: Setting, *, history: Path | None = None, sampled: int = 0) -> None:
        self.setting = setting
        self._history = history
        self._sampled = sampled
        self._clock = 0
        # a history was made of the first seed: others, or its tasks would come again
        self._seed = 0 if history is None else 1000
        self._streams: list[EventStream] = []
        self._builder: BurstBuilder | None = None
        self._sent: Counter[str] = Counter()
        #: Events and tasks that the monitor held before this run began.
        self._before: tuple[dict[str, int], int] = ({}, 0)
        self.sample: dict[str, list[Event]] = {}

    def __enter__(self) -> Self:
        """Start both; return when the monitor hears events and its history is known."""
        setting = self.setting
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="umbel-bench-")))
            limit = {} if setting.default_limit else {"client-output-buffer-limit": "pubsub 0 0 0"}
            broker = RedisServer(config=limit) if setting.broker == "redis" else RabbitServer()
            stack.enter_context(broker)
            self.broker_url = broker.url
            self.folder = folder
            self.subject = stack.enter_context(
                Subject(
                    setting.kind,
                    self.broker_url,
                    max_tasks=setting.max_tasks,
                    options=setting.options,
                    folder=self._history or folder,
                )
            )
            if self._history is not None:
                self._introduce_workers()
                self._before = self.subject.count_events(), self.subject.count_tasks()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        """End the monitor, then the broker."""
        self._stack.close()

    def _introduce_workers(self) -> None:
        """Have the cluster's workers beat once: totals are told of known workers only, and a history may hold none."""
        workers = self.setting.workers
        beats = EventStream(time.time(), workers=workers, rate=0)
        self._send(BurstBuilder(iter(beats), self.broker_url).build(workers, until_task=False))
        wait_until(lambda: self.subject.count_workers() >= workers, PATIENCE, "the workers")

    @property
    def tasks(self) -> int:
        """Tasks sent so far in this run."""
        return sum(stream.tasks for stream in self._streams)

    @property
    def sent(self) -> int:
        """Task events sent so far in this run."""
        return count_task_events(self._sent)

    def begin_stream(self, rate: float = 2000.0, *, planned: int = 0, workers: int | None = None) -> None:
        """Go on with new tasks of the same cluster, whose `planned` events at `rate` a second will end about now."""
        self._seed += 1
        if self._streams:
            self._clock = self._streams[-1].clock
        setting = self.setting
        stream = EventStream(
            time.time() - (planned / rate if rate else 0.0),
            seed=self._seed,
            workers=workers or setting.workers,
            rate=rate,
            batch=setting.batch,
            clock=self._clock,
        )
        self._streams.append(stream)
        self._builder = BurstBuilder(iter(stream), self.broker_url, sampled=self._sampled)

    def build(self, events: int) -> Burst:
        """Encode the next `events` events of the stream; they count as sent from now on."""
        if self._builder is None:
            self.begin_stream(planned=events)
        assert self._builder is not None
        burst = self._builder.build(events)
        self._note(burst)
        return burst

    def _note(self, burst: Burst) -> None:
        self._sent += burst.counts
        self.sample |= burst.sample

    def send_burst(self, events: int) -> Burst:
        """Send `events` more events at once, unmeasured."""
        burst = self.build(events)
        self._send(burst)
        return burst

    @property
    def held(self) -> int:
        """Tasks of the history that it began with and of this run."""
        return self._before[1] + self.tasks

    def fill(self, tasks: int) -> None:
        """Bring the history to `tasks` tasks, unmeasured, in bursts that the monitor takes in; what it lost of them
        is made up for by more."""
        is_lossy = self.setting.kind == "flower" and self.setting.broker == "rabbitmq"
        self._fill(round((tasks - self.held) * EVENTS_PER_TASK), LOSSY_BURST if is_lossy else BURST)
        while is_lossy and (missing := round(tasks * EVENTS_PER_TASK) - self.count_received()) > LOSSY_BURST:
            self._fill(missing, LOSSY_BURST)

    def _fill(self, events: int, size: int) -> None:
        if events <= 0:
            return
        self.begin_stream(planned=events)
        burst = self.build(min(size, events))
        while True:
            self._send(burst)
            events -= burst.events
            # the next one is made while this one is taken in
            following = self.build(min(size, events)) if events > 0 else None
            self.wait_until_visible(burst)
            if following is None:
                return
            burst = following

    def _send(self, burst: Burst) -> None:
        connect(self.broker_url).send_all(data for data, _ in burst.slices)

    def take_burst(self, events: int, *, lossy: bool = False) -> Measurement:
        """Send `events` more events; measure until the last is visible and the rest of the work is done.

        On Redis at most BURST of them are on their way at any time, and never much fewer: the monitor never waits.

        Args:
            lossy: The last event may never arrive; then the clock stops when the monitor has nothing left to do.
        """
        self.begin_stream(planned=events)
        at_once = self.setting.broker == "rabbitmq" or events <= BURST
        portions = (
            [self.build(events)] if at_once else [self.build(PORTION) for _ in range(events // PORTION)]
        )
        received, cpu, began = self.count_received(), self.subject.measure_cpu(), time.monotonic()
        for number, portion in enumerate(portions):
            if number >= BURST // PORTION:
                self.wait_until_visible(portions[number - BURST // PORTION])
            self._send(portion)
        seconds = self._await(portions[-1], began, lossy)
        return self._measure(received, cpu, seconds)

    def take_load(self, events: int, rate: float = 0.0, *, lossy: bool = False) -> Measurement:
        """Send events from another process, at an even `rate` or (0) as fast as the broker takes them; measure until
        all is done. Unlike a burst they need not fit into memory."""
        burst, path = self.spool(events, rate)
        received, cpu, began = self.count_received(), self.subject.measure_cpu(), time.monotonic()
        paced = finish_pacing(self.start_pacing(path, rate))
        path.unlink()
        taken = self._await(burst, began, lossy)
        return self._measure(received, cpu, taken, paced.late)

    def spool(self, events: int, rate: float = 0.0) -> tuple[Burst, Path]:
        """Encode the first `events` events of a new stream into a file; they count as sent from now on."""
        self.begin_stream(rate or 2000.0, planned=0 if rate else events)
        assert self._builder is not None
        path = self.folder / f"load-{self._seed}"
        burst = self._builder.spool(events, path, rate=rate)
        self._note(burst)
        return burst, path

    def spool_heartbeats(self, workers: int, seconds: float) -> Path:
        """Encode the heartbeats of `workers` otherwise idle workers into a file."""
        stream = EventStream(time.time(), workers=workers, rate=0, clock=self._streams[-1].clock)
        path = self.folder / "heartbeats"
        BurstBuilder(iter(stream), self.broker_url).spool(
            round(workers * seconds / 2), path, rate=workers / 2, until_task=False
        )
        return path

    def start_pacing(self, path: Path, rate: float) -> subprocess.Popen[str]:
        """Start the process that sends a spooled burst."""
        command = [sys.executable, "-m", "benchmarks.pacer", self.broker_url, str(path), str(rate)]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    def _await(self, burst: Burst, began: float, lossy: bool) -> float:
        """Return the seconds from `began` until the burst was taken in; wait for the rest of the work as well."""
        if lossy:
            seconds = self._wait_while_busy(burst) - began
        else:
            self.wait_until_visible(burst)
            seconds = time.monotonic() - began
        self.subject.wait_until_quiet()
        return seconds

    def _measure(self, received: int, cpu: float, seconds: float, late: float = 0.0) -> Measurement:
        subject = self.subject
        used = subject.measure_cpu() - cpu
        return Measurement(
            kind=subject.kind,
            tasks=self.held,
            events=self.count_received() - received,
            seconds=seconds,
            cpu_seconds=used,
            lost=self.count_lost(),
            memory=subject.measure_memory(),
            late=late,
        )

    def wait_until_visible(self, burst: Burst) -> None:
        """Return when the row of the burst's last event shows that event."""
        wait_until(lambda: is_visible(self.subject, burst), PATIENCE, "the last event", pause=LOOK)

    def _wait_while_busy(self, burst: Burst) -> float:
        """Return the moment when the last event was visible or, where it was lost, the last one of any work."""
        busy, cpu, looked = time.monotonic(), self.subject.measure_cpu(), time.monotonic()
        while time.monotonic() - busy < 5:
            time.sleep(LOOK)
            if is_visible(self.subject, burst):
                return time.monotonic()
            if time.monotonic() - looked >= 1:
                used = self.subject.measure_cpu() - cpu
                cpu, looked = cpu + used, time.monotonic()
                busy = looked if used > 0.1 else busy
        return busy

    def count_received(self) -> int:
        """Return how many task events of this run the monitor has counted."""
        return count_task_events(self.subject.count_events()) - count_task_events(self._before[0])

    def count_lost_events(self) -> int:
        """Return how many of the task events sent so far the monitor does not have."""
        return count_differences(self._sent, self.subject.count_events(), self._before[0])

    def count_lost(self) -> int:
        """Return how many of the task events and tasks sent so far the monitor does not have.

        Tasks are compared only where the monitor keeps them all.
        """
        lost = self.count_lost_events()
        if self.setting.kind == "flower" and self.held > (self.setting.max_tasks or CAP):
            return lost
        return lost + abs(self.held - self.subject.count_tasks())


def is_visible(subject: Subject, burst: Burst) -> bool:
    """Tell whether the row of the burst's last event shows that event, or a later one of its type (of a retry)."""
    return shows(subject.fetch_task(str(burst.last["uuid"])), burst.last)


def shows(row: dict[str, Any] | None, event: Event) -> bool:
    """Tell whether a task's row, None for none, has the time of the event or of a later one of its type."""
    told = None if row is None else row[str(event["type"]).removeprefix("task-")]
    return told is not None and bool(told > event["timestamp"] - 0.001)


def count_task_events(counts: dict[str, int]) -> int:
    """Return the sum of the task events among counts by type."""
    return sum(count for kind, count in counts.items() if kind.startswith("task-"))


def count_differences(sent: dict[str, int], seen: dict[str, int], before: dict[str, int]) -> int:
    """Return the task events missing or too many, type by type, so that one can't make up for another."""
    kinds = {kind for kind in (*sent, *seen, *before) if kind.startswith("task-")}
    return sum(abs(sent.get(kind, 0) + before.get(kind, 0) - seen.get(kind, 0)) for kind in kinds)


def finish_pacing(process: subprocess.Popen[str]) -> Paced:
    """Return what the process has sent, once it has sent all."""
    output, _ = process.communicate()
    if process.returncode:
        raise ChildProcessError(f"the sender ended with {process.returncode}")
    return Paced(**json.loads(output))


def find_median(measurements: Sequence[Measurement], what: Literal["rate", "cost"]) -> float:
    """Return the median rate or cost."""
    values = [found.rate if what == "rate" else found.cost for found in measurements]
    return statistics.median(values)
