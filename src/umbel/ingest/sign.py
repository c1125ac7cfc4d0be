"""The collector's sign of life in the history: its status once a second, which holds up nothing that is being stored.

Owned by `ingest.collector`.
"""

from collections.abc import Callable
from functools import partial

from umbel.ingest.due import is_due
from umbel.ingest.parent import is_news
from umbel.store.base import HistoryWriter
from umbel.store.status import CollectorStatus

#: Seconds between two signs of life in the history: what a `kill -9` can cost the record of when we were last alive.
STATUS_INTERVAL = 1.0


class Sign:
    """Writes statuses, or only that we are alive where nothing else is new."""

    def __init__(
        self, store: HistoryWriter, get_status: Callable[[], CollectorStatus], clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._get_status = get_status
        self._clock = clock
        self._next = 0.0
        #: What was written last.
        self._written: CollectorStatus | None = None

    def give(self, run: Callable[[Callable[[], None]], None]) -> None:
        """Have `run` write the status, if that is due. Raises StoreUnavailable, and what `run` raises."""
        now = self._clock()
        if not is_due(self._next, now, every=STATUS_INTERVAL):
            return
        self._next = now + STATUS_INTERVAL
        status = self._get_status()
        if self._written is not None and not is_news(self._written, status):
            self._store.note_alive(status.time, status.proof_at)
        else:
            run(partial(self._write, status))

    def _write(self, status: CollectorStatus) -> None:
        self._store.write_status(status)
        self._written = status
