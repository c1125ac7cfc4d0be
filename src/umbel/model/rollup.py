"""What a task's marks contribute to counters, run-time histograms and time buckets.

Every contribution is a pure function of the record, so that totals are sums over rows: the pipeline adds
`contributions(after) - contributions(before)` and any order, duplication or splitting of events ends in the
same totals. Sketches hold counts per logarithmic bucket (DDSketch's mapping), which can be subtracted as well.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from math import ceil, log
from typing import Literal, Self, TypeVar

import msgspec

from umbel.model.attempts import attempts
from umbel.model.task import FAILED, LOST, RECEIVED, SENT, STARTED, SUCCEEDED, Attempt, Mark, Record, Task

#: Relative accuracy of a percentile: a value and its bucket's middle differ by at most 1 %.
ACCURACY = 0.01
_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA = log(_GAMMA)
#: Values below a microsecond share one bucket.
_SMALLEST = 1e-6
_LOWEST = ceil(log(_SMALLEST) / _LOG_GAMMA)

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


def middle_of(index: int) -> float:
    """The value in seconds that stands for a sketch bucket."""
    return float(2 * _GAMMA**index / (_GAMMA + 1))


Kind = Literal["task", "worker"]


class RollupKey(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One time bucket of one task name or one worker."""

    kind: Kind
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


def together(rows: Iterable[tuple[RollupKey, Rollup]]) -> list[tuple[RollupKey, Rollup]]:
    """The same buckets of all labels as one, whose label is ""; oldest first."""
    sums: dict[int, tuple[RollupKey, Rollup]] = {}
    for key, rollup in rows:
        if key.start not in sums:
            sums[key.start] = RollupKey(key.kind, "", key.span, key.start), Rollup()
        sums[key.start][1].add(rollup)
    return [sums[start] for start in sorted(sums)]


class Totals(msgspec.Struct, frozen=True):
    """Differences to add to the stored totals."""

    #: (worker, task, "task-<type>") -> difference.
    counters: dict[tuple[str, str, str], int]
    #: (worker, task) -> {run time in seconds: times observed}.
    runtimes: dict[tuple[str, str], dict[float, int]]
    #: Minute buckets; the store derives hours and days.
    rollups: dict[RollupKey, Rollup]


class _Account(msgspec.Struct, array_like=True):
    """What one worker (or client) did with one task name in one minute."""

    #: (mark type, rank) -> difference.
    counts: dict[tuple[str, int], int] = msgspec.field(default_factory=dict)
    #: Seconds -> difference: exact, so that what is taken away leaves nothing behind.
    runtimes: dict[float, int] = msgspec.field(default_factory=dict)
    waits: dict[float, int] = msgspec.field(default_factory=dict)


_SENT_MARK, _RECEIVED_MARK, _STARTED_MARK = ("sent", SENT), ("received", RECEIVED), ("started", STARTED)
_SUCCEEDED_MARK, _FAILED_MARK = ("succeeded", SUCCEEDED), ("failed", FAILED)
#: What `add_plain` counts a mark under, by the field of `Task` that holds its time, and by the state that it ends in.
_PLAIN_MARKS = (
    ("received", _RECEIVED_MARK),
    ("started", _STARTED_MARK),
    ("succeeded", _SUCCEEDED_MARK),
    ("failed", _FAILED_MARK),
)
_ENDS = {"SUCCESS": _SUCCEEDED_MARK, "FAILURE": _FAILED_MARK}


#: Minute, client, worker, task, state, and whether it was not sent, not received, not started.
_AlikeKey = tuple[float, str | None, str | None, str | None, str, bool, bool, bool]


class Tally(msgspec.Struct, array_like=True):
    """Gathers what the transitions of one chunk change. Each mark is one addition; `totals` spreads the sums.

    It may be encoded, so that they are spread in another process.
    """

    #: (worker, task, minute) -> account.
    _accounts: dict[tuple[str, str, int], _Account] = msgspec.field(default_factory=dict)
    #: New plain lives within a minute, by what they have in common -> run time and wait of each.
    _alike: dict[_AlikeKey, list[tuple[float | None, float | None]]] = msgspec.field(default_factory=dict)
    #: Begin and end of the minute in which the last of them was.
    _minute: float = 0.0
    _minute_end: float = 0.0

    def _account(self, worker: str, task: str, time: float) -> _Account:
        key = (worker, task, int(time // 60) * 60)
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = _Account()
        return account

    def add_plain(self, before: Task | None, after: Task) -> None:
        """Add the step between two states of a plain life (`model.plain`), which only adds marks to it."""
        if before is None:
            sent, received = after.sent, after.received
            # the times of a plain life rise
            first = sent or received or after.started or after.updated
            if not self._minute <= first < self._minute_end:
                self._minute = first // 60 * 60
                self._minute_end = self._minute + 60
            if after.updated < self._minute_end:
                key = (
                    self._minute, after.client, after.worker, after.name, after.state,
                    sent is None, received is None, after.started is None,
                )  # fmt: skip
                alike = self._alike.get(key)
                if alike is None:
                    alike = self._alike[key] = []
                alike.append((after.runtime, after.wait))
                return
        self._add_marks_of(before, after)

    def _add_marks_of(self, before: Task | None, after: Task) -> None:
        name = after.name or ""
        if after.sent is not None and before is None:
            _bump(self._account(after.client or "", name, after.sent).counts, _SENT_MARK, 1)
        worker = after.worker
        if worker is None:
            return
        for field, mark in _PLAIN_MARKS:
            time = getattr(after, field)
            if time is None or (before is not None and getattr(before, field) is not None):
                continue
            account = self._account(worker, name, time)
            _bump(account.counts, mark, 1)
            if mark is _SUCCEEDED_MARK and after.runtime:
                _bump(account.runtimes, after.runtime, 1)
        wait = after.wait
        if wait is not None and (before is None or before.wait is None):
            assert after.started is not None
            _bump(self._account(worker, name, after.started).waits, wait, 1)

    def _spread_alike(self) -> None:
        """Bring lives that were told alike to the accounts."""
        for key, lives in self._alike.items():
            minute, client, worker, task, state, no_sent, no_received, no_started = key
            name, count = task or "", len(lives)
            if not no_sent:
                _bump(self._account(client or "", name, minute).counts, _SENT_MARK, count)
            if worker is None:
                continue
            account = self._account(worker, name, minute)
            if not no_received:
                _bump(account.counts, _RECEIVED_MARK, count)
            if not no_started:
                _bump(account.counts, _STARTED_MARK, count)
            if state in _ENDS:
                _bump(account.counts, _ENDS[state], count)
            runtimes, waits = account.runtimes, account.waits
            for runtime, wait in lives:
                if runtime:
                    runtimes[runtime] = runtimes.get(runtime, 0) + 1
                if wait is not None:
                    waits[wait] = waits.get(wait, 0) + 1
        self._alike = {}

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
            account = self._account(mark.hostname, name, mark.time)
            _bump(account.counts, (mark.type, mark.rank), sign)
            if mark.rank == SUCCEEDED and mark.runtime:
                _bump(account.runtimes, mark.runtime, sign)

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
            waits = self._account(run.worker, name, run.started).waits
            _bump(waits, max(0.0, run.started - run.received), sign)

    def totals(self) -> Totals:
        """The sums, as the store keeps them."""
        self._spread_alike()
        counters: dict[tuple[str, str, str], int] = {}
        runtimes: dict[tuple[str, str], dict[float, int]] = {}
        # by label and minute; keys are made of what is left in the end
        tasks: dict[tuple[str, int], Rollup] = {}
        workers: dict[tuple[str, int], Rollup] = {}
        for (worker, task, minute), account in self._accounts.items():
            of_task, of_worker = _of(tasks, (task, minute)), _of(workers, (worker, minute))
            for (type_, rank), count in account.counts.items():
                _bump(counters, (worker, task, "task-" + type_), count)
                _bump(of_task.counts, type_, count)
                # what a client sends is no worker's doing
                if rank != SENT:
                    _bump(of_worker.counts, type_, count)
            if account.runtimes:
                seen = runtimes.setdefault((worker, task), {})
                for seconds, count in account.runtimes.items():
                    _bump(seen, seconds, count)
                _observe(account.runtimes, of_task.runtime, of_worker.runtime)
            if account.waits:
                _observe(account.waits, of_task.wait, of_worker.wait)
        rollups = {RollupKey("task", label, 60, start): rollup for (label, start), rollup in tasks.items()}
        for (label, start), rollup in workers.items():
            rollups[RollupKey("worker", label, 60, start)] = rollup
        return Totals(counters, runtimes, {key: rollup for key, rollup in rollups.items() if rollup})


def _of(rollups: dict[tuple[str, int], Rollup], key: tuple[str, int]) -> Rollup:
    rollup = rollups.get(key)
    if rollup is None:
        rollup = rollups[key] = Rollup()
    return rollup


def _observe(values: Mapping[float, int], first: Sketch, second: Sketch) -> None:
    """Add values in seconds, each observed so many times, to both sketches."""
    ours, theirs = first.buckets, second.buckets
    total, undone = 0.0, False
    for value, count in values.items():
        index = ceil(log(value) / _LOG_GAMMA) if value > _SMALLEST else _LOWEST
        ours[index] = ours.get(index, 0) + count
        theirs[index] = theirs.get(index, 0) + count
        total += count * value
        undone = undone or count < 0
    first.sum += total
    second.sum += total
    if undone:
        for sketch in (first, second):
            sketch.buckets = {index: count for index, count in sketch.buckets.items() if count}


def _bump(totals: dict[_K, int], key: _K, by: int) -> None:
    total = totals.get(key, 0) + by
    if total:
        totals[key] = total
    else:
        totals.pop(key, None)


def _name(record: Record) -> str:
    stamped = record.fields.get("name")
    return "" if stamped is None else str(stamped[2])
