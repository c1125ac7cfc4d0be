"""The histogram of waits in an SQLite history: counted with the rows of tasks, in the caller's transaction."""

import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from umbel.model.wait import WAIT_BOUNDS, Basis, wait_of
from umbel.store.base import Runtimes, TaskChange
from umbel.store.packed import PackedWorker
from umbel.store.totals import bounds_key, wait_totals

#: Task names that are counted by themselves; of later ones the sum is kept, for good.
MOST_TASKS = 200
OTHER = "(other)"

WAIT_KEY = bounds_key(WAIT_BOUNDS)
_NAMES = "SELECT DISTINCT task FROM waits WHERE bounds = ?"


class WaitBook:
    """Counts the waits of starts that are new."""

    def __init__(self) -> None:
        self._totals = wait_totals()
        #: Task names that are counted by themselves; None: not read from the file yet.
        self._names: set[str] | None = None
        #: Worker -> seconds that its clock is ahead of ours, as far as it was told since the start.
        self._skews: dict[str, float | None] = {}

    def forget(self) -> None:
        """Drop what was remembered, after a transaction was undone or the file was replaced."""
        self._totals.forget()
        self._names = None

    def note_workers(self, workers: Iterable[PackedWorker], removed: Iterable[str]) -> None:
        """The rows of these workers are new, or gone."""
        self._skews.update((worker.hostname, worker.skew) for worker in workers)
        for name in removed:
            self._skews.pop(name, None)

    def start(self, cursor: sqlite3.Cursor) -> "Waits":
        """Begin to count those of one transaction."""
        return Waits(self._skews, partial(self._name, cursor))

    def write(self, cursor: sqlite3.Cursor, waits: "Waits") -> None:
        """Add what was counted."""
        if waits.seen:
            self._totals.add(
                cursor, {key: Runtimes(tuple(counts), waits.sums[key]) for key, counts in waits.seen.items()}
            )

    def _name(self, cursor: sqlite3.Cursor, task: str) -> str:
        if self._names is None:
            self._names = {name for (name,) in cursor.execute(_NAMES, (WAIT_KEY,)).fetchall()}
        if task not in self._names:
            if len(self._names) >= MOST_TASKS:
                return OTHER
            self._names.add(task)
        return task


class Waits:
    """The waits of the starts of one transaction, by (basis, task name)."""

    def __init__(self, skews: Mapping[str, float | None], name: Callable[[str], str]) -> None:
        self._skews = skews
        self._name = name
        #: How many there are within each bound, and their sum in seconds.
        self.seen: dict[tuple[str, str], list[int]] = {}
        self.sums: dict[tuple[str, str], float] = {}

    def count(self, changes: Iterable[TaskChange]) -> None:
        """Count the starts among these changes."""
        skews = self._skews
        found: dict[tuple[Basis, str | None], list[float]] = {}
        for change in changes:
            after = change.after
            if after.started is not None:
                wait = wait_of(change.before, after, skews.get(after.worker or ""))
                if wait is not None:
                    found.setdefault((wait[0], after.name), []).append(wait[1])
        for (basis, task), waits in found.items():
            key = (basis, self._name(task or ""))
            counts = self.seen.setdefault(key, [0] * (len(WAIT_BOUNDS) + 1))
            for seconds in waits:
                counts[bisect_left(WAIT_BOUNDS, seconds)] += 1
            self.sums[key] = self.sums.get(key, 0.0) + sum(waits)
