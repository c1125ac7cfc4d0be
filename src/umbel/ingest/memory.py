"""Gives back the memory that a burst took, once it is over and indexed; that the making of a search index took; and
that of retention. Driven by `ingest.collector`.

What is free the C library keeps in case it is wanted again, and SQLite its pages: 70 MB after 100,000 events.
"""

import gc
import sys

from umbel.store.base import HistoryWriter
from umbel.store.heap import find_trim
from umbel.store.search_indexer import SearchIndexer

#: Events, and rows that were indexed, from which on it is worth the while.
MANY = 10_000


class Memory:
    """What may be given back by now; while the `indexer` works on what came, nothing."""

    def __init__(self, store: HistoryWriter, indexer: SearchIndexer | None) -> None:
        self._store = store
        self._indexer = indexer
        self._trim = find_trim()
        self._events = self._indexed = self._prunes = 0

    def look(self, events: int, prunes: int) -> None:
        """Called while nothing comes in; `events` were taken so far, and retention ran `prunes` times."""
        if self._indexer is not None and not self._indexer.is_resting:
            return
        indexed = 0 if self._indexer is None else self._indexer.passed
        if max(events - self._events, indexed - self._indexed) >= MANY or prunes > self._prunes:
            self._events, self._indexed, self._prunes = events, indexed, prunes
            self._store.release()
            self._trim()


def tune_interpreter() -> None:
    """Records are no work for the garbage collector, and threads that wait for this one must not wait long."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    sys.setswitchinterval(0.001)
