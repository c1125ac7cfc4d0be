"""Gives back the memory that a burst took, once it is over and indexed; that the making of a search index took; and
that of retention. Driven by `ingest.collector`.

What is free the C library keeps in case it is wanted again, and SQLite its pages: 70 MB after 100,000 events.
"""

import gc
import sys
import time
from collections.abc import Callable

from umbel.store.base import HistoryWriter
from umbel.store.heap import find_trim
from umbel.store.search_indexer import SearchIndexer

#: Events, and rows that were indexed, from which on it is worth the while.
MANY = 10_000
#: As many of both together are a burst while something comes in, within so many seconds.
BURST, SPAN = 5_000, 10.0


class Memory:
    """What may be given back by now; while the `indexer` works on what came, nothing."""

    def __init__(
        self,
        store: HistoryWriter,
        indexer: SearchIndexer | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._indexer = indexer
        self._clock = clock
        self._trim = find_trim()
        #: When memory was last given back.
        self._events = self._indexed = self._prunes = 0
        #: When the span began that is looked at, and events and indexed rows by then.
        self._began, self._done = clock(), 0
        self._was_burst = False

    def look(self, events: int, prunes: int) -> None:
        """Called while nothing comes in; `events` were taken so far, and retention ran `prunes` times."""
        if self._indexer is not None and not self._indexer.is_resting:
            return
        if max(events - self._events, self._passed - self._indexed) >= MANY or prunes > self._prunes:
            self._give_back(events, prunes)

    def look_between(self, events: int, prunes: int) -> None:
        """Called while something comes in: what goes on slowly must not keep for ever what a burst took."""
        now = self._clock()
        if now - self._began < SPAN:
            return
        done = events + self._passed
        came, self._began, self._done = done - self._done, now, done
        if came >= BURST:
            self._was_burst = True
        elif self._was_burst:
            self._give_back(events, prunes)

    @property
    def _passed(self) -> int:
        """Rows that were indexed."""
        return 0 if self._indexer is None else self._indexer.passed

    def _give_back(self, events: int, prunes: int) -> None:
        self._events, self._indexed, self._prunes = events, self._passed, prunes
        self._began, self._done, self._was_burst = self._clock(), events + self._passed, False
        self._store.release()
        self._trim()


def tune_interpreter() -> None:
    """Records are no work for the garbage collector, and threads that wait for this one must not wait long."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    sys.setswitchinterval(0.001)
