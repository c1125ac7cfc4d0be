"""One sender's lines in the families with a task label, as Prometheus' text. Pure; used by `metrics.flower`.

Written out by hand: the client library takes 8 µs and several objects a line, and a cluster of 1,000 workers with ten
task names has 280,000 lines.
"""

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from math import isfinite
from typing import TypeAlias

import msgspec

from umbel.metrics.bound import OTHER
from umbel.store.base import Runtimes
from umbel.store.packed import PackedRuntimes

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
#: The place of the histograms among them.
HISTOGRAMS = 2

#: Stands for labels in a pattern.
_LABELS = b"\0"

#: A counter of one sender: task name ("" when unknown) and event type.
Key: TypeAlias = tuple[str, str]

_decode_texts = msgspec.json.Decoder(list[str]).decode
_decode_runtimes = msgspec.msgpack.Decoder(Runtimes).decode


class Section:
    """The lines of one sender, as last rendered: the text and what it was made of, so that only what differs is made
    anew."""

    __slots__ = (
        *("costs", "counted", "created", "histograms", "key", "labels", "pattern", "prefetched"),
        *("prefetched_pattern", "received", "runtimes", "shape", "started", "texts", "wait_pattern"),
        "waits",
    )

    def __init__(self) -> None:
        #: What all of it was rendered from; another key means other lines.
        self.key: object = None
        #: What tells which lines there are, whatever their values.
        self.shape: object = None
        #: What the labels were rendered from beside the shape.
        self.labels: object = None
        #: Task name -> series, before anything is summed up.
        self.costs: dict[str, int] = {}
        #: The lines of counters, with a place for each value; and how many they are.
        self.pattern = b""
        self.counted = 0
        #: Task names that have a line in the gauge families.
        self.received: tuple[str, ...] = ()
        self.started: tuple[str, ...] = ()
        #: Task name -> what its histogram was rendered from, and the text.
        self.runtimes: dict[str, str] = {}
        self.histograms: dict[str, bytes] = {}
        #: The first moment of the histograms, as last written.
        self.created: object = None
        #: The lines of the gauge families, as `pattern`, and the values that they were rendered from.
        self.wait_pattern = self.prefetched_pattern = b""
        self.waits: Mapping[str, float] | None = None
        self.prefetched: Mapping[str, int] | None = None
        #: By family; histograms are apart.
        self.texts = [b""] * len(FAMILIES)


@lru_cache(4096)
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


def costs_of(keys: Iterable[Key], buckets: int) -> dict[str, int]:
    """Task name -> series that these counters make; `buckets` are those of the histogram, the infinite one included."""
    # each has its `_created`; run times come with successes, count and sum beside the buckets
    by_type = {"task-succeeded": 5 + buckets, "task-received": 3, "task-started": 3}
    costs: dict[str, int] = {}
    for task, kind in keys:
        costs[task] = costs.get(task, 0) + by_type.get(kind, 2)
    return costs


def sum_up(keys: Sequence[Key], numbers: Sequence[int], summed: Collection[str]) -> dict[Key, int]:
    """The counters with those of `summed` task names under `OTHER`, which come last."""
    others: dict[Key, int] = {}
    kept: dict[Key, int] = {}
    for key, number_ in zip(keys, numbers, strict=True):
        task, kind = key
        if task in summed:
            others[OTHER, kind] = others.get((OTHER, kind), 0) + number_
        else:
            kept[key] = number_
    return kept | dict(sorted(others.items()))


def unpack_runtimes(packed: PackedRuntimes | None, summed: Collection[str]) -> dict[str, str]:
    """Task -> its histogram, still packed, by task; with those of `summed` task names under `OTHER`."""
    if packed is None:
        return {}
    runtimes = dict(zip(_decode_texts(packed.tasks), packed.histograms.split(","), strict=True))
    if summed.isdisjoint(runtimes) if isinstance(summed, set) else not summed:
        return runtimes
    others = [_decode_runtimes(bytes.fromhex(text)) for task, text in runtimes.items() if task in summed]
    buckets = tuple(map(sum, zip(*(seen.buckets for seen in others), strict=True)))
    kept = {task: text for task, text in runtimes.items() if task not in summed}
    kept[OTHER] = msgspec.msgpack.encode(Runtimes(buckets, sum(seen.sum for seen in others))).hex()
    return dict(sorted(kept.items()))


class Writer:
    """Renders sections for one set of histogram bounds.

    Args:
        bounds: Upper bounds in seconds, ascending, without the infinite one.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        name = "flower_task_runtime_seconds"
        buckets = [f'{name}_bucket{{le="{bound}",' for bound in (*map(number, bounds), "+Inf")]
        self.buckets = len(buckets)
        #: A histogram, with a place for each value and _LABELS for the labels of each line.
        starts = [start.encode() for start in (*buckets, f"{name}_count{{")]
        lines = [b"%b%b%%d.0\n" % (start, _LABELS) for start in starts]
        self._pattern = b"%b%b_sum{%b%%b\n" % (b"".join(lines), name.encode(), _LABELS)

    def write_labels(self, section: Section, sender: str, keys: Sequence[Key], created: float) -> None:
        """Render what counters there are; their numbers, and the gauges, are to be rendered after that."""
        tail = f'",worker="{label(sender)}"}} '
        counted = [f'{{task="{label(task)}",type="{label(kind)}' for task, kind in keys]
        section.pattern = _pattern("flower_events_total", counted, tail, "%d.0")
        section.counted = len(counted)
        section.texts[1] = _same("flower_events_created", counted, tail + number(created)).encode()
        section.received = tuple(sys.intern(task) for task, kind in keys if kind == "task-received")
        section.started = tuple(sys.intern(task) for task, kind in keys if kind == "task-started")
        waits, prefetched = (
            'flower_task_prefetch_time_seconds{task="',
            'flower_worker_prefetched_tasks{task="',
        )
        section.wait_pattern = _pattern(waits, list(map(label, section.started)), tail, "%b")
        section.prefetched_pattern = _pattern(prefetched, list(map(label, section.received)), tail, "%d.0")
        section.waits = section.prefetched = None

    def write_numbers(self, section: Section, numbers: Sequence[int]) -> None:
        """Render the counters' values, in the order of their labels."""
        section.texts[0] = section.pattern % tuple(numbers)

    def write_runtimes(
        self, section: Section, sender: str, runtimes: Mapping[str, str], created: float
    ) -> None:
        """Render the histograms that differ from last time; `runtimes` has them by task, packed by the store."""
        tail = f'",worker="{label(sender)}"}} '
        known, texts = section.runtimes, section.histograms
        if known.keys() != runtimes.keys():
            # in their order, and without those that are gone
            known = {sys.intern(task): known.get(task, "") for task in runtimes}
            texts = {task: texts.get(task, b"") for task in known}
            section.runtimes, section.histograms, section.created = known, texts, None
        for task, packed in runtimes.items():
            if known[task] != packed:
                seen = _decode_runtimes(bytes.fromhex(packed))
                texts[task] = self._histogram(f'task="{label(task)}{tail}', seen)
                known[task] = packed
        if section.created != created:
            timed = [f'task="{label(task)}{tail}' for task in known]
            since = number(created)
            section.texts[3] = _same("flower_task_runtime_seconds_created{", timed, since).encode()
            section.created = created

    def _histogram(self, labels: str, seen: Runtimes) -> bytes:
        totals = [*accumulate(seen.buckets)]
        text = self._pattern % (*totals, totals[-1], number(seen.sum).encode())
        return text.replace(_LABELS, labels.encode())

    def write_gauges(
        self, section: Section, *, waits: Mapping[str, float], prefetched: Mapping[str, int]
    ) -> None:
        """Render the gauges anew if these values, by task name, are others than last time."""
        if section.waits != waits:
            values = [number(waits[task]).encode() if task in waits else b"0.0" for task in section.started]
            section.texts[-2] = section.wait_pattern % tuple(values)
            section.waits = waits
        if section.prefetched != prefetched:
            counts = [prefetched.get(task, 0) for task in section.received]
            section.texts[-1] = section.prefetched_pattern % tuple(counts)
            section.prefetched = prefetched

    def count_series(self, section: Section) -> int:
        """Lines of the section."""
        timed = (self.buckets + 3) * len(section.histograms)
        return 2 * section.counted + timed + len(section.received) + len(section.started)


def _pattern(start: str, labels: Sequence[str], tail: str, place: str) -> bytes:
    """Lines with a place for each value."""
    return _same(start, [_escaped(label) for label in labels], f"{_escaped(tail)}{place}").encode()


def _escaped(text: str) -> str:
    """For a pattern."""
    return text.replace("%", "%%")


def _same(start: str, labels: Sequence[str], value: str) -> str:
    """Lines that all have the same value."""
    between = f"{value}\n{start}"
    return f"{start}{between.join(labels)}{value}\n" if labels else ""
