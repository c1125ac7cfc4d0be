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

#: Seconds between runs of retention, and while nothing was written: then only age can be a reason.
PRUNE_INTERVAL, IDLE_PRUNE_INTERVAL = 60.0, 600.0
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
        #: How often retention ran.
        self.prunes = 0
        self._pruned = time.monotonic()
        self._pruned_feed: int | None = None
        self._next_give_up = 0.0
        self._runs: list[EndedRun] = []

    @property
    def is_idle(self) -> bool:
        """No ended run is being dealt with."""
        return not self._runs

    def look_around(self, now: float) -> None:
        """Do what is due at epoch second `now`. Raises StoreUnavailable."""
        tick = time.monotonic()
        if self._runs:
            self._give_up(self._runs[-1], now)
        elif tick >= self._next_give_up:
            self._next_give_up = tick + GIVE_UP_INTERVAL
            self._runs = self._workers.take_ended(before=now - self._settings.unknown_after)
        feed = self._store.get_feed_head()
        if tick - self._pruned >= (IDLE_PRUNE_INTERVAL if feed == self._pruned_feed else PRUNE_INTERVAL):
            self._pruned, self._pruned_feed = tick, feed
            self._give_up_stale(now)
            self._store.prune(now=now)
            self.prunes += 1

    def _give_up_stale(self, now: float) -> None:
        stale = self._store.fetch_stale_tasks(now - STALE_AFTER, limit=PORTION)
        due = [task for task in stale if not is_due_after(task, now)]
        self._pipeline.give_up(due, alive_pid=0, now=now)

    def _give_up(self, run: EndedRun, now: float) -> None:
        """One portion of one run; the run is done when nothing of it is left."""
        tasks = self._store.fetch_open_tasks(run.hostname, limit=PORTION)
        given_up = self._pipeline.give_up(tasks, alive_pid=run.alive_pid, now=now)
        if not given_up or len(tasks) < PORTION:
            self._runs.pop()


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
