"""Gives back the memory that a burst took, once it is over and indexed. Driven by `ingest.collector`.

What is free the C library keeps in case it is wanted again, and SQLite its pages: 70 MB after 100,000 events.
"""

import gc
import sys
from collections.abc import Callable

from umbel.store.base import HistoryWriter
from umbel.store.heap import find_trim

#: Events from which on it is worth the while.
MANY = 10_000


class Memory:
    """What may be given back by now. `is_resting` says that nobody else works on what came."""

    def __init__(self, store: HistoryWriter, *, is_resting: Callable[[], bool]) -> None:
        self._store = store
        self._is_resting = is_resting
        self._trim = find_trim()
        self._events = 0

    def look(self, events: int) -> None:
        """Called while nothing comes in; `events` were taken so far."""
        if events - self._events >= MANY and self._is_resting():
            self._events = events
            self._store.release()
            self._trim()


def tune_interpreter() -> None:
    """Records are no work for the garbage collector, and threads that wait for this one must not wait long."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    sys.setswitchinterval(0.001)
