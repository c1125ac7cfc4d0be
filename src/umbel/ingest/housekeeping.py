"""What the pipeline's thread does between flushes: give up tasks of ended worker runs, and retention.

Everything in bounded portions, so that the next flush is never far. Driven by `ingest.collector`.
"""

import time
from datetime import UTC, datetime

from umbel.ingest.pipeline import Pipeline
from umbel.ingest.settings import CollectorSettings
from umbel.ingest.workers import EndedRun, WorkerBook
from umbel.model.task import Task
from umbel.store.base import HistoryWriter

#: Seconds between runs of retention.
PRUNE_INTERVAL = 60.0
#: Seconds between looks for tasks to give up.
GIVE_UP_INTERVAL = 5.0
#: Seconds without any evidence after which an open task of no known worker run is given up.
STALE_AFTER = 30 * 86400.0
#: Open tasks given up in one portion.
PORTION = 500


class Housekeeping:
    """Gives up and prunes, a portion at a time."""

    def __init__(
        self,
        store: HistoryWriter,
        pipeline: Pipeline,
        workers: WorkerBook,
        settings: CollectorSettings,
    ) -> None:
        self._store = store
        self._pipeline = pipeline
        self._workers = workers
        self._settings = settings
        self._next_prune = time.monotonic() + PRUNE_INTERVAL
        self._next_give_up = 0.0
        self._runs: list[EndedRun] = []

    def look_around(self, now: float) -> bool:
        """Do what is due at epoch second `now`; return whether tasks were given up. Raises StoreUnavailable."""
        tick = time.monotonic()
        given_up = 0
        if self._runs:
            given_up = self._give_up(self._runs[-1], now)
        elif tick >= self._next_give_up:
            self._next_give_up = tick + GIVE_UP_INTERVAL
            self._runs = self._workers.take_ended(before=now - self._settings.unknown_after)
        if tick >= self._next_prune:
            self._next_prune = tick + PRUNE_INTERVAL
            given_up += self._give_up_stale(now)
            self._store.prune(now=now)
        return given_up > 0

    def _give_up_stale(self, now: float) -> int:
        stale = self._store.fetch_stale_tasks(now - STALE_AFTER, limit=PORTION)
        due = [task for task in stale if not is_due_after(task, now)]
        return self._pipeline.give_up(due, alive_pid=0, now=now)

    def _give_up(self, run: EndedRun, now: float) -> int:
        """One portion of one run; the run is done when nothing of it is left."""
        tasks = self._store.fetch_open_tasks(run.hostname, limit=PORTION)
        given_up = self._pipeline.give_up(tasks, alive_pid=run.alive_pid, now=now)
        if not given_up or len(tasks) < PORTION:
            self._runs.pop()
        return given_up


def is_due_after(task: Task, now: float) -> bool:
    """Whether the task waits for an ETA after epoch second `now`; an ETA without zone is UTC, as Celery sends it."""
    if task.eta is None:
        return False
    try:
        eta = datetime.fromisoformat(task.eta)
    except ValueError:
        return False
    if eta.tzinfo is None:
        eta = eta.replace(tzinfo=UTC)
    return eta.timestamp() > now
