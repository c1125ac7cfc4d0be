"""The histogram of waits in an SQLite history: counted with the rows of tasks, in the caller's transaction."""

import sqlite3
from bisect import bisect_left
from collections.abc import Iterable

from umbel.model.wait import WAIT_BOUNDS, wait_of
from umbel.model.worker import Worker
from umbel.store.base import Runtimes, TaskChange
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

    def note_workers(self, workers: Iterable[Worker], removed: Iterable[str]) -> None:
        """The rows of these workers are new, or gone."""
        self._skews.update((worker.hostname, worker.skew) for worker in workers)
        for name in removed:
            self._skews.pop(name, None)

    def note_tasks(self, cursor: sqlite3.Cursor, changes: Iterable[TaskChange]) -> None:
        """Add the waits of the starts among these changes."""
        counts: dict[tuple[str, str], list[int]] = {}
        sums: dict[tuple[str, str], float] = {}
        skews = self._skews
        for change in changes:
            after = change.after
            if after.started is None:
                continue
            wait = wait_of(change.before, after, skews.get(after.worker or ""))
            if wait is not None:
                basis, seconds = wait
                key = (basis, self._name(cursor, after.name or ""))
                if key not in counts:
                    counts[key], sums[key] = [0] * (len(WAIT_BOUNDS) + 1), 0.0
                counts[key][bisect_left(WAIT_BOUNDS, seconds)] += 1
                sums[key] += seconds
        if counts:
            self._totals.add(cursor, {key: Runtimes(tuple(seen), sums[key]) for key, seen in counts.items()})

    def _name(self, cursor: sqlite3.Cursor, task: str) -> str:
        if self._names is None:
            self._names = {name for (name,) in cursor.execute(_NAMES, (WAIT_KEY,)).fetchall()}
        if task not in self._names:
            if len(self._names) >= MOST_TASKS:
                return OTHER
            self._names.add(task)
        return task
