"""What the pipeline's thread does between flushes: give up tasks of ended worker runs, and retention.

Everything in bounded portions, so that the next flush is never far. Driven by `ingest.collector`.
"""

import time
from datetime import UTC, datetime

from umbel.errors import StoreError
from umbel.ingest.pipeline import Pipeline
from umbel.ingest.settings import CollectorSettings
from umbel.ingest.workers import EndedRun, WorkerBook
from umbel.model.task import Task
from umbel.store.base import HistoryWriter

#: Seconds between runs of retention, and while nothing was written: then only age can be a reason.
PRUNE_INTERVAL, IDLE_PRUNE_INTERVAL = 10.0, 600.0
#: Seconds that retention takes at a time: as many as the flush before it did, for it must keep pace with what comes,
#: but no fewer and no more than these.
SHORTEST_PRUNE, LONGEST_PRUNE = 0.1, 0.5
#: Seconds between looks for tasks to give up.
GIVE_UP_INTERVAL = 5.0
#: Seconds without any evidence after which an open task of no known worker run is given up, and between looks for such:
#: each walks through all open tasks, 40 ms for a million.
STALE_AFTER, STALE_INTERVAL = 30 * 86400.0, 600.0
#: Open tasks given up in one portion.
PORTION = 500
#: Seconds between two portions while nothing comes.
REST = 0.1


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
        self._is_pruning = False
        self._pruned = time.monotonic()
        self._pruned_feed: int | None = None
        self._next_give_up = 0.0
        self._next_stale = self._pruned + PRUNE_INTERVAL
        self._runs: list[EndedRun] = []

    @property
    def is_idle(self) -> bool:
        """No portion is followed by another one."""
        return not self._runs and not self._is_pruning

    def look_around(self, now: float, *, spent: float) -> None:
        """Do what is due at epoch second `now`, after a flush of `spent` seconds. Raises StoreUnavailable."""
        tick = time.monotonic()
        if self._runs:
            self._give_up(self._runs[-1], now)
        elif tick >= self._next_give_up:
            self._next_give_up = tick + GIVE_UP_INTERVAL
            self._runs = self._workers.take_ended(before=now - self._settings.unknown_after)
        if tick >= self._next_stale:
            self._next_stale = tick + (STALE_INTERVAL if self._give_up_stale(now) < PORTION else 0.0)
        feed = self._store.get_feed_head()
        interval = IDLE_PRUNE_INTERVAL if feed == self._pruned_feed else PRUNE_INTERVAL
        if self._is_pruning or tick - self._pruned >= interval:
            self._prune(now, max(SHORTEST_PRUNE, min(spent, LONGEST_PRUNE)))

    def _prune(self, now: float, seconds: float) -> None:
        """A portion of a run of retention, or the first one."""
        if not self._is_pruning:
            # what the run itself changes is a reason for the next one, which gives back what is still free then
            self._pruned_feed = self._store.get_feed_head()
        try:
            self._is_pruning = not self._store.prune_some(now=now, seconds=seconds)
        except StoreError:
            # to be begun anew soon
            self._is_pruning, self._pruned_feed = False, None
            raise
        if not self._is_pruning:
            self._pruned = time.monotonic()
            self.prunes += 1

    def _give_up_stale(self, now: float) -> int:
        """One portion of them; how many it was of."""
        stale = self._store.fetch_stale_tasks(now - STALE_AFTER, limit=PORTION)
        due = [task for task in stale if not is_due_after(task, now)]
        return self._pipeline.give_up(due, alive_pid=0, now=now)

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
