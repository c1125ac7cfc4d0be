"""Names of queues that the parent heard of, on their way into the history. Owned by `ingest.collector`."""

import threading
from collections.abc import Collection

from umbel.errors import StoreError
from umbel.store.base import HistoryWriter


class QueueNames:
    """Taken from any thread, written by the collector's."""

    def __init__(self, store: HistoryWriter) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._names: set[str] = set()

    def take(self, names: Collection[str]) -> None:
        """These queues are there now."""
        with self._lock:
            self._names.update(names)

    def write(self) -> None:
        """Store what was taken; what cannot be stored is kept. Raises StoreError."""
        with self._lock:
            names, self._names = self._names, set()
        if names:
            try:
                self._store.remember_queues(names)
            except StoreError:
                self.take(names)
                raise
