"""Claim: Umbel takes in events several times as fast as Flower, stores all of them, and its memory does not grow.

A burst of realistic events is published at once; the clock stops when the last event's row is visible over HTTP.
Prints events/s, CPU s per 100k events, loss, the ratios, and the memory at several sizes of history.
"""

import argparse
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.burst import Burst, build_burst, send_burst
from benchmarks.event_stream import EventStream, Message
from benchmarks.subject import Kind, Subject, wait_until

#: Events in one burst; more would measure Redis' memory.
BURST = 100_000
#: Seconds after which a burst counts as never taken in.
PATIENCE = 900.0
#: Seconds between two looks for the last row: often enough for the clock, too seldom to be a load of its own.
LOOK = 0.1
#: CPU is read this long after the last row was visible, so that work put off counts as well.
AFTERMATH = 3.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one burst cost. `lost` counts the events that had been sent but never arrived, so far in the run."""

    kind: Kind
    tasks: int
    events: int
    seconds: float
    cpu_seconds: float
    lost: int
    memory: int

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def cost(self) -> float:
        """CPU seconds for 100,000 events."""
        return self.cpu_seconds / self.events * 100_000


class Run:
    """A fresh monitor that is given burst after burst of one stream."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        self._stream = EventStream(time.time())
        self._messages: Iterator[Message] = iter(self._stream)
        self._sent: Counter[str] = Counter()
        self._subject = Subject(kind, folder)

    def stop(self) -> None:
        """End the monitor."""
        self._subject.stop()

    def take_burst(self, events: int) -> Measurement:
        """Send `events` more events and measure until the last is visible and the rest of the work is done."""
        burst = build_burst(self._messages, events)
        self._sent += burst.counts
        subject = self._subject
        cpu = subject.measure_cpu()
        began = time.monotonic()
        send_burst(burst, subject.redis_port)
        wait_until(lambda: is_visible(subject, burst), PATIENCE, "the last event", pause=LOOK)
        seconds = time.monotonic() - began
        time.sleep(AFTERMATH)
        return Measurement(
            kind=subject.kind,
            tasks=self._stream.tasks,
            events=burst.events,
            seconds=seconds,
            cpu_seconds=subject.measure_cpu() - cpu,
            lost=self.count_lost(),
            memory=subject.measure_memory(),
        )

    def count_lost(self) -> int:
        """Return how many of the task events and tasks sent so far the monitor does not have."""
        seen = self._subject.count_task_events()
        wanted = {kind: count for kind, count in self._sent.items() if kind.startswith("task-")}
        events = sum(abs(count - seen.get(kind, 0)) for kind, count in wanted.items())
        return events + abs(self._stream.tasks - self._subject.count_tasks())


def is_visible(subject: Subject, burst: Burst) -> bool:
    """Tell whether the row of the burst's last event shows that event."""
    task = subject.fetch_task(burst.last["uuid"])
    if task is None:
        return False
    told = task[burst.last["type"].removeprefix("task-")]
    return told is not None and abs(told - burst.last["timestamp"]) < 0.001


def measure_rates(rounds: int, events: int) -> dict[Kind, list[Measurement]]:
    """Measure both in turn, `rounds` times, each time from an empty history."""
    found: dict[Kind, list[Measurement]] = {"flower": [], "umbel": []}
    for _ in range(rounds):
        for kind, measurements in found.items():
            measurements += measure_growth(kind, (events,))
    return found


def measure_growth(kind: Kind, stops: tuple[int, ...]) -> list[Measurement]:
    """Fill one history burst by burst; return the measurement of the burst that reached each number of events."""
    reached = []
    with tempfile.TemporaryDirectory(prefix="umbel-bench-") as folder:
        run = Run(kind, Path(folder))
        try:
            total = 0
            for stop in stops:
                while total < stop:
                    measurement = run.take_burst(min(BURST, stop - total))
                    total += measurement.events
                reached.append(measurement)
                print(write_line(measurement), flush=True)
        finally:
            run.stop()
    return reached


def write_line(found: Measurement) -> str:
    """Return a measurement as one line."""
    return (
        f"{found.kind:6} {found.tasks:8,} tasks {found.rate:9,.0f} events/s {found.cost:7.2f} CPU s/100k "
        f"{found.memory / 1e6:7.0f} MB PSS {found.lost:6} lost"
    )


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return 1 when Umbel lost an event."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=3, help="times that each is measured from empty (default 3)"
    )
    parser.add_argument("--events", type=int, default=BURST, help=f"events of a round (default {BURST})")
    parser.add_argument("--no-growth", action="store_true", help="leave out memory at 100k and 300k tasks")
    parser.add_argument(
        "--flower-growth", action="store_true", help="measure Flower's memory as well (10 minutes)"
    )
    chosen = parser.parse_args(argv)
    rates = measure_rates(chosen.rounds, chosen.events)
    flower, umbel = (statistics.median(found.rate for found in rates[kind]) for kind in ("flower", "umbel"))
    cost, own_cost = (statistics.median(found.cost for found in rates[kind]) for kind in ("flower", "umbel"))
    print(
        f"median: Umbel takes in {umbel / flower:.1f} times as many events/s for 1/{cost / own_cost:.1f} of the CPU"
    )
    lost = sum(found.lost for found in rates["umbel"])
    if not chosen.no_growth:
        stops = (413_000, 1_239_000)
        grown = measure_growth("umbel", stops)
        lost += grown[-1].lost
        print(f"memory of Umbel from {grown[0].tasks:,} to {grown[1].tasks:,} tasks: {write_growth(grown)}")
        if chosen.flower_growth:
            grown = measure_growth("flower", stops)
            print(
                f"memory of Flower from {grown[0].tasks:,} to {grown[1].tasks:,} tasks: {write_growth(grown)}"
            )
    return 1 if lost else 0


def write_growth(grown: list[Measurement]) -> str:
    """Return the change of memory between the first and the last measurement."""
    first, last = grown[0].memory, grown[-1].memory
    return f"{first / 1e6:.0f} → {last / 1e6:.0f} MB ({(last - first) / first:+.1%})"


if __name__ == "__main__":
    raise SystemExit(main())
