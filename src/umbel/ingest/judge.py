"""Brings together what is known of the workers once a second and gives each its status.

Lives in the pipeline's thread. The rule is `model.liveness.judge`, the rows are `ingest.workers`, the questions to the
broker are asked by `ingest.watch`. Driven by `ingest.collector`.
"""

import threading
from collections.abc import Collection

from umbel.ingest.due import is_due
from umbel.ingest.pipeline import Pipeline
from umbel.ingest.settings import CollectorSettings
from umbel.ingest.source import SourceHealth, SourceState
from umbel.ingest.watch import Watch
from umbel.ingest.workers import WorkerBook
from umbel.store.base import HistoryWriter

#: Seconds between judgements.
INTERVAL = 1.0
#: Seconds for which an answer on running tasks of a silent worker is believed.
BUSY_FOR = 5.0
#: Open tasks of a silent worker looked at for a running one.
_LOOKED_AT = 200


class Judge:
    """Judges all workers at intervals and tells `watch` whom to ask about."""

    def __init__(
        self,
        store: HistoryWriter,
        pipeline: Pipeline,
        book: WorkerBook,
        watch: Watch,
        settings: CollectorSettings,
    ) -> None:
        self._store = store
        self._pipeline = pipeline
        self._book = book
        self._watch = watch
        self._settings = settings
        self._lock = threading.Lock()
        self._evidence: set[str] = set()
        self._next = 0.0
        #: Silent worker -> when its open tasks were last looked at, and whether one was running.
        self._looks: dict[str, tuple[float, bool]] = {}
        #: Warnings about workers, a sentence each.
        self.notices: list[str] = []

    def take_evidence(self, hostnames: Collection[str]) -> None:
        """These workers answered an inspect. From any thread."""
        with self._lock:
            self._evidence.update(hostnames)

    @property
    def idle_until(self) -> float:
        """Until then, epoch seconds, no worker can be judged otherwise for its silence."""
        return self._book.steady_until

    def look(self, health: SourceHealth, now: float) -> None:
        """Judge if it is time to. Raises StoreUnavailable."""
        if not is_due(self._next, now, every=INTERVAL):
            return
        self._next = now + INTERVAL
        book = self._book
        connected_at = health.connected_at if health.state is SourceState.CONNECTED else None
        self._watch.set_connection(connected_at)
        with self._lock:
            evidence, self._evidence = self._evidence, set()
        book.take_evidence(evidence, now)
        for presence, asked in self._watch.take_presence():
            book.take_presence(presence, asked)
        if book.begin_look(now=now, connected_at=connected_at):
            self._judge(now, connected_at)
            book.end_look()
        self._pipeline.write_workers()

    def _judge(self, now: float, connected_at: float | None) -> None:
        book = self._book
        silent = [] if connected_at is None else book.get_silent(now=now, connected_at=connected_at)
        self._looks = {name: self._looks[name] for name in silent if name in self._looks}
        book.set_busy([name for name in silent if self._is_busy(name, now)])
        book.judge_all(now=now, connected_at=connected_at)
        # of those called lost by now only the unproven are asked about
        silent = [name for name in silent if book.is_expected(name)]
        self._watch.set_workers(silent=[*silent, *book.get_unproven()], to_call=book.get_to_call(now=now))
        self.notices = book.get_notices(
            now=now, connected_at=connected_at, enable_events=self._settings.enable_events
        )

    def _is_busy(self, hostname: str, now: float) -> bool:
        """Whether the store holds a STARTED task of this worker: it is silent, so that rarely changes."""
        looked, busy = self._looks.get(hostname, (0.0, False))
        if not 0 <= now - looked < BUSY_FOR:
            tasks = self._store.fetch_open_tasks(hostname, limit=_LOOKED_AT)
            busy = any(task.state == "STARTED" for task in tasks)
            self._looks[hostname] = (now, busy)
        return busy
