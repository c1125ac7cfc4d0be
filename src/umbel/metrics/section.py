"""One sender's lines in the families with a task label, as Prometheus' text. Pure; used by `metrics.flower`.

Written out by hand: the client library takes 8 µs and several objects a line, and a cluster of 1,000 workers with ten
task names has 280,000 lines.
"""

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate
from math import isfinite

from umbel.metrics.bound import OTHER
from umbel.store.base import Runtimes, SenderCount

SENT = "task-sent"
_EVENTS = "Task events by sender, type and task name"
_RUNTIME = "Run times of succeeded tasks"
#: Name, type and help of the families, in the order of `Section.texts`.
FAMILIES = (
    ("flower_events_total", "counter", _EVENTS),
    ("flower_events_created", "gauge", _EVENTS),
    ("flower_task_runtime_seconds", "histogram", _RUNTIME),
    ("flower_task_runtime_seconds_created", "gauge", _RUNTIME),
    (
        "flower_task_prefetch_time_seconds",
        "gauge",
        "Seconds that the task running now waited at its worker; 0 when none runs",
    ),
    ("flower_worker_prefetched_tasks", "gauge", "Tasks received by a worker and not started"),
)
#: Families whose lines change without a change of counters.
_GAUGES = 2


class Section:
    """The lines of one sender, as last rendered.

    Args:
        key: What they were rendered from; another key means other lines.
        costs: Task name -> series, before anything is summed up.
    """

    __slots__ = ("costs", "key", "received", "series", "started", "texts", "values")

    def __init__(self, key: object, costs: dict[str, int]) -> None:
        self.key = key
        self.costs = costs
        #: Task names that have a line in the gauge families.
        self.received: tuple[str, ...] = ()
        self.started: tuple[str, ...] = ()
        #: The values that the gauge families were rendered from.
        self.values: object = None
        self.texts = [b""] * len(FAMILIES)
        self.series = 0


def label(value: str) -> str:
    """A label's value between its quotes."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def number(value: float) -> str:
    """A sample's value."""
    value = float(value)
    if isfinite(value):
        return repr(value)
    return "NaN" if value != value else ("+Inf" if value > 0 else "-Inf")


def header(name: str, kind: str, text: str) -> bytes:
    """The two lines in front of a family."""
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n".encode()


def costs_of(counts: Iterable[SenderCount], buckets: int) -> dict[str, int]:
    """Task name -> series that these counters make; `buckets` are those of the histogram, the infinite one included."""
    # each has its `_created`; run times come with successes, count and sum beside the buckets
    by_type = {"task-succeeded": 5 + buckets, "task-received": 3, "task-started": 3}
    costs: dict[str, int] = {}
    for count in counts:
        name = sys.intern(count.task)
        costs[name] = costs.get(name, 0) + by_type.get(count.type, 2)
    return costs


def sum_up(counts: Sequence[SenderCount], summed: Collection[str]) -> Sequence[SenderCount]:
    """The counters with those of `summed` task names under `OTHER`."""
    if not any(count.task in summed for count in counts):
        return counts
    others: dict[str, int] = {}
    kept = []
    for count in counts:
        if count.task in summed:
            others[count.type] = others.get(count.type, 0) + count.n
        else:
            kept.append(count)
    return [*kept, *(SenderCount(OTHER, kind, n) for kind, n in sorted(others.items()))]


def sum_up_runtimes(runtimes: Mapping[str, Runtimes], summed: Collection[str]) -> dict[str, Runtimes]:
    """The histograms with those of `summed` task names under `OTHER`."""
    kept = {task: seen for task, seen in runtimes.items() if task not in summed}
    others = [seen for task, seen in runtimes.items() if task in summed]
    if others:
        buckets = tuple(map(sum, zip(*(seen.buckets for seen in others), strict=True)))
        kept[OTHER] = Runtimes(buckets, sum(seen.sum for seen in others))
    return kept


class Writer:
    """Renders sections for one set of histogram bounds.

    Args:
        bounds: Upper bounds in seconds, ascending, without the infinite one.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        name = "flower_task_runtime_seconds"
        buckets = [f'{name}_bucket{{le="{bound}",' for bound in (*map(number, bounds), "+Inf")]
        self.buckets = len(buckets)
        #: What stands before the labels of each line of a histogram.
        self._first, *self._others = (*buckets, f"{name}_count{{", f"{name}_sum{{")

    def write_totals(
        self,
        section: Section,
        sender: str,
        *,
        counts: Sequence[SenderCount],
        runtimes: Mapping[str, Runtimes],
        created: float,
    ) -> None:
        """Render what changes with counters; the gauges are to be rendered after that."""
        since = number(created)
        tail = f'",worker="{label(sender)}"}} '
        counted = [f'{{task="{label(count.task)}",type="{label(count.type)}{tail}' for count in counts]
        timed = {f'task="{label(task)}{tail}': seen for task, seen in sorted(runtimes.items())}
        texts = (
            "".join([
                f"flower_events_total{labels}{count.n}.0\n"
                for labels, count in zip(counted, counts, strict=True)
            ]),
            _same("flower_events_created", counted, since),
            "".join([self._histogram(labels, seen) for labels, seen in timed.items()]),
            _same("flower_task_runtime_seconds_created{", list(timed), since),
        )  # fmt: skip
        section.texts[:-_GAUGES] = map(str.encode, texts)
        section.received = tuple(sys.intern(c.task) for c in counts if c.type == "task-received")
        section.started = tuple(sys.intern(c.task) for c in counts if c.type == "task-started")
        section.series = 2 * len(counted) + (self.buckets + 3) * len(timed)
        section.series += len(section.received) + len(section.started)
        section.values = None

    def _histogram(self, labels: str, seen: Runtimes) -> str:
        totals = list(accumulate(seen.buckets))
        values = [
            f"{total}.0\n{other}" for total, other in zip((*totals, totals[-1]), self._others, strict=True)
        ]
        return f"{self._first}{labels.join(['', *values])}{labels}{number(seen.sum)}\n"

    def write_gauges(
        self, section: Section, sender: str, *, waits: Mapping[str, float], prefetched: Mapping[str, int]
    ) -> None:
        """Render the gauges anew if these values, by task name, are others than last time."""
        if section.values == (waits, prefetched):
            return
        section.values = (waits, prefetched)
        tail = f'",worker="{label(sender)}"}} '
        section.texts[-2] = "".join(
            f'flower_task_prefetch_time_seconds{{task="{label(task)}{tail}{number(waits.get(task, 0))}\n'
            for task in section.started
        ).encode()
        section.texts[-1] = "".join(
            f'flower_worker_prefetched_tasks{{task="{label(task)}{tail}{prefetched.get(task, 0)}.0\n'
            for task in section.received
        ).encode()


def _same(start: str, labels: Sequence[str], value: str) -> str:
    """Lines that all have the same value."""
    between = f"{value}\n{start}"
    return f"{start}{between.join(labels)}{value}\n" if labels else ""
