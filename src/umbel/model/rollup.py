"""What a task's marks contribute to counters, run-time histograms and time buckets.

Every contribution is a pure function of the record, so that totals are sums over rows: the pipeline adds
`contributions(after) - contributions(before)` and any order, duplication or splitting of events ends in the
same totals. Sketches hold counts per logarithmic bucket (DDSketch's mapping), which can be subtracted as well.
"""

from collections.abc import Hashable, Iterable, Sequence
from math import ceil, log
from typing import Literal, Self, TypeVar

import msgspec

from umbel.model.fold import attempts
from umbel.model.task import LOST, RECEIVED, SENT, STARTED, SUCCEEDED, Attempt, Mark, Record

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

    def observe(self, value: float, count: int = 1, *, index: int | None = None) -> None:
        """Count `value` seconds `count` times (negative to take back); `index` is its bucket, if known."""
        index = bucket_of(value) if index is None else index
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


class Totals(msgspec.Struct, frozen=True):
    """Differences to add to the stored totals."""

    #: (worker, task, "task-<type>") -> difference.
    counters: dict[tuple[str, str, str], int]
    #: (worker, task) -> {run time in seconds: times observed}.
    runtimes: dict[tuple[str, str], dict[float, int]]
    #: Minute buckets; the store derives hours and days.
    rollups: dict[RollupKey, Rollup]


class Tally:
    """Gathers what the transitions of one chunk change. Each mark is one addition; `totals` spreads the sums."""

    def __init__(self) -> None:
        #: (worker, task, minute, mark type, rank) -> difference.
        self._marks: dict[tuple[str, str, int, str, int], int] = {}
        #: (worker, task, minute, seconds) -> difference.
        self._runtimes: dict[tuple[str, str, int, float], int] = {}
        self._waits: dict[tuple[str, str, int, float], int] = {}

    def add_transition(
        self, before: Record | None, after: Record, runs: Sequence[Attempt] | None = None
    ) -> None:
        """Add what the step from `before` to `after` changes; `runs` are the attempts of `after`, if known.

        Marks that `after` no longer holds (see `fold.KEEP_LAST`) stay counted.
        """
        name = _name(after)
        runs = attempts(after.marks) if runs is None else runs
        if before is None:
            self._add_marks(after.marks, name, 1)
            self._add_waits(runs, name, 1)
            return
        known = before.marks
        if name == _name(before) and after.marks[: len(known)] == known:
            # the usual case: later marks only, so what was counted stays as it is
            new = after.marks[len(known) :]
            self._add_marks(new, name, 1)
            self._add_waits(runs, name, 1, only=new)
            return
        held = set(after.marks)
        kept = tuple(mark for mark in known if mark in held)
        self._add_marks(kept, _name(before), -1)
        self._add_waits(attempts(kept), _name(before), -1)
        self._add_marks(after.marks, name, 1)
        self._add_waits(runs, name, 1)

    def _add_marks(self, marks: Iterable[Mark], name: str, sign: int) -> None:
        for mark in marks:
            if mark.flags & LOST:
                continue
            minute = int(mark.time // 60) * 60
            _bump(self._marks, (mark.hostname, name, minute, mark.type, mark.rank), sign)
            if mark.rank == SUCCEEDED and mark.runtime:
                _bump(self._runtimes, (mark.hostname, name, minute, mark.runtime), sign)

    def _add_waits(
        self, runs: Iterable[Attempt], name: str, sign: int, *, only: Sequence[Mark] | None = None
    ) -> None:
        """Waits of attempts; with `only`, of those that one of these marks received or started."""
        if only is not None and not any(mark.rank in (RECEIVED, STARTED) for mark in only):
            return
        for run in runs:
            if run.received is None or run.started is None or run.eta:
                continue
            if only is not None and not any(mark in only for mark in run.marks if mark.rank <= STARTED):
                continue
            minute = int(run.started // 60) * 60
            _bump(self._waits, (run.worker, name, minute, max(0.0, run.started - run.received)), sign)

    def totals(self) -> Totals:
        """The sums, as the store keeps them."""
        counters: dict[tuple[str, str, str], int] = {}
        runtimes: dict[tuple[str, str], dict[float, int]] = {}
        rollups: dict[RollupKey, Rollup] = {}
        for (worker, task, minute, type_, rank), count in self._marks.items():
            _bump(counters, (worker, task, "task-" + type_), count)
            # what a client sends is no worker's doing
            for key in _keys(worker, task, minute)[: 1 if rank == SENT else 2]:
                _bump(rollups.setdefault(key, Rollup()).counts, type_, count)
        for (worker, task, minute, seconds), count in self._runtimes.items():
            _bump(runtimes.setdefault((worker, task), {}), seconds, count)
            index = bucket_of(seconds)
            for key in _keys(worker, task, minute):
                rollups.setdefault(key, Rollup()).runtime.observe(seconds, count, index=index)
        for (worker, task, minute, seconds), count in self._waits.items():
            index = bucket_of(seconds)
            for key in _keys(worker, task, minute):
                rollups.setdefault(key, Rollup()).wait.observe(seconds, count, index=index)
        return Totals(counters, runtimes, rollups)


def _keys(worker: str, task: str, minute: int) -> tuple[RollupKey, RollupKey]:
    return RollupKey("task", task, 60, minute), RollupKey("worker", worker, 60, minute)


def _bump(totals: dict[_K, int], key: _K, by: int) -> None:
    total = totals.get(key, 0) + by
    if total:
        totals[key] = total
    else:
        totals.pop(key, None)


def _name(record: Record) -> str:
    stamped = record.fields.get("name")
    return "" if stamped is None else str(stamped[2])
