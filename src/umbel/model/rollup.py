"""What a task's marks contribute to counters, run-time histograms and time buckets.

Every contribution is a pure function of the record, so that totals are sums over rows: the pipeline adds
`contributions(after) - contributions(before)` and any order, duplication or splitting of events ends in the
same totals. Sketches hold counts per logarithmic bucket (DDSketch's mapping), which can be subtracted as well.
"""

from collections.abc import Hashable
from math import ceil, log
from typing import Literal, Self, TypeVar

import msgspec

from umbel.model.fold import attempts
from umbel.model.task import LOST, SENT, STARTED, SUCCEEDED, Mark, Record

#: Relative accuracy of a percentile: a value and its bucket's middle differ by at most 1 %.
ACCURACY = 0.01
_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA = log(_GAMMA)
#: Values below a microsecond share one bucket.
_SMALLEST = 1e-6

_K = TypeVar("_K", bound=Hashable)

#: Widths of the time buckets, in seconds.
SPANS = (60, 3600, 86400)


class Sketch(msgspec.Struct, array_like=True):
    """Counts per logarithmic bucket: mergeable and subtractable, percentiles within 1 %. Seconds."""

    buckets: dict[int, int] = msgspec.field(default_factory=dict)
    sum: float = 0.0

    def add(self, other: "Sketch", sign: int = 1) -> None:
        """Add (or with `sign` -1 take away) another sketch in place."""
        buckets = self.buckets
        for index, count in other.buckets.items():
            total = buckets.get(index, 0) + sign * count
            if total:
                buckets[index] = total
            else:
                buckets.pop(index, None)
        self.sum += sign * other.sum

    def observe(self, value: float, count: int = 1) -> None:
        """Count `value` seconds `count` times (negative to take back)."""
        index = bucket_of(value)
        total = self.buckets.get(index, 0) + count
        if total:
            self.buckets[index] = total
        else:
            self.buckets.pop(index, None)
        self.sum += count * value

    @property
    def count(self) -> int:
        """Values observed."""
        return sum(self.buckets.values())

    def quantile(self, q: float) -> float | None:
        """The value at quantile `q` (0–1), in seconds; None when nothing was observed."""
        total = self.count
        if total <= 0:
            return None
        rank = q * (total - 1)
        seen = 0
        for index in sorted(self.buckets):
            seen += self.buckets[index]
            if seen > rank:
                return middle_of(index)
        return middle_of(max(self.buckets))


def bucket_of(value: float) -> int:
    """The sketch bucket of a value in seconds."""
    return ceil(log(max(value, _SMALLEST)) / _LOG_GAMMA)


def middle_of(index: int) -> float:
    """The value in seconds that stands for a sketch bucket."""
    return float(2 * _GAMMA**index / (_GAMMA + 1))


class RollupKey(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One time bucket of one task name or one worker."""

    kind: Literal["task", "worker"]
    #: Task name or hostname; "" where the task's name is unknown.
    label: str
    #: 60, 3600 or 86400 seconds.
    span: int
    #: Start of the bucket, epoch seconds UTC, a multiple of `span`.
    start: int


class Rollup(msgspec.Struct):
    """What happened in one bucket: marks counted by type, run times of successes, waits of starts."""

    #: Mark type ("received", "succeeded", …) -> count.
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    runtime: Sketch = msgspec.field(default_factory=Sketch)
    #: Seconds from receipt to start, without those of tasks with an ETA.
    wait: Sketch = msgspec.field(default_factory=Sketch)

    def add(self, other: "Rollup", sign: int = 1) -> Self:
        """Add (or take away) another bucket in place; return self."""
        counts = self.counts
        for type_, count in other.counts.items():
            total = counts.get(type_, 0) + sign * count
            if total:
                counts[type_] = total
            else:
                counts.pop(type_, None)
        self.runtime.add(other.runtime, sign)
        self.wait.add(other.wait, sign)
        return self

    def __bool__(self) -> bool:
        return bool(self.counts or self.runtime.buckets or self.wait.buckets)


class Tally(msgspec.Struct):
    """Differences to add to the totals, gathered over one chunk of a flush."""

    #: (worker, task, "task-<type>") -> difference.
    counters: dict[tuple[str, str, str], int] = msgspec.field(default_factory=dict)
    #: (worker, task) -> {run time in seconds: times observed}.
    runtimes: dict[tuple[str, str], dict[float, int]] = msgspec.field(default_factory=dict)
    #: Minute buckets; the store derives hours and days.
    rollups: dict[RollupKey, Rollup] = msgspec.field(default_factory=dict)

    def add_transition(self, before: Record | None, after: Record) -> None:
        """Add what the step from `before` to `after` changes.

        Marks that `after` no longer holds (see `fold.KEEP_LAST`) stay counted.
        """
        if before is not None:
            held = set(after.marks)
            marks = tuple(mark for mark in before.marks if mark in held)
            if len(marks) == len(held) and _name(before) == _name(after):
                return
            self._add(marks, _name(before), -1)
        self._add(after.marks, _name(after), 1)

    def _add(self, marks: tuple[Mark, ...], name: str, sign: int) -> None:
        counters = self.counters
        for mark in marks:
            if mark.flags & LOST:
                continue
            _bump(counters, (mark.hostname, name, "task-" + mark.type), sign)
            rollups = self._rollups(mark, name)
            for rollup in rollups:
                _bump(rollup.counts, mark.type, sign)
            if mark.rank == SUCCEEDED and mark.runtime:
                _bump(self.runtimes.setdefault((mark.hostname, name), {}), mark.runtime, sign)
                for rollup in rollups:
                    rollup.runtime.observe(mark.runtime, sign)
        for attempt in attempts(marks):
            if attempt.received is None or attempt.started is None or attempt.eta:
                continue
            wait = max(0.0, attempt.started - attempt.received)
            started = next(mark for mark in attempt.marks if mark.rank == STARTED)
            for rollup in self._rollups(started, name):
                rollup.wait.observe(wait, sign)

    def _rollups(self, mark: Mark, name: str) -> list[Rollup]:
        """The minute buckets that a mark belongs to: its task's, and its worker's unless a client made it."""
        start = int(mark.time // 60) * 60
        keys = [RollupKey("task", name, 60, start)]
        if mark.rank != SENT:
            keys.append(RollupKey("worker", mark.hostname, 60, start))
        return [self.rollups.setdefault(key, Rollup()) for key in keys]


def _bump(totals: dict[_K, int], key: _K, by: int) -> None:
    total = totals.get(key, 0) + by
    if total:
        totals[key] = total
    else:
        totals.pop(key, None)


def _name(record: Record) -> str:
    stamped = record.fields.get("name")
    return "" if stamped is None else str(stamped[2])
