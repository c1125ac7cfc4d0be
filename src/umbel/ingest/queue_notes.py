"""Names and figures of queues that the parent tells, on their way into the history, and the workers that leave them
waiting. Owned by `ingest.collector`."""

import threading
from collections import deque
from collections.abc import Collection

from umbel.errors import StoreError
from umbel.model.queue import QueueSample
from umbel.model.stall import Stall
from umbel.store.base import HistoryWriter

#: Samples that wait while the history takes no writes; the oldest go.
MOST_SAMPLES = 20_000


class QueueNotes:
    """Taken from any thread, written by the collector's."""

    def __init__(self, store: HistoryWriter) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._names: set[str] = set()
        self._samples: deque[QueueSample] = deque(maxlen=MOST_SAMPLES)
        #: As last told.
        self.stalls: list[Stall] = []

    def take(
        self,
        names: Collection[str],
        samples: Collection[QueueSample] = (),
        stalls: list[Stall] | None = None,
    ) -> None:
        """These queues are there now, these are figures of some, and these workers are stalled; None: as before."""
        with self._lock:
            self.stalls = self.stalls if stalls is None else stalls
            self._names.update(names)
            self._samples.extend(samples)

    def write(self) -> None:
        """Store what was taken; what cannot be stored is kept. Raises StoreError."""
        with self._lock:
            names, self._names = self._names, set()
            samples = list(self._samples)
            self._samples.clear()
        try:
            if names:
                self._store.remember_queues(names)
                names = set()
            if samples:
                self._store.write_queue_samples(samples)
        except StoreError:
            with self._lock:
                self._names |= names
                newer = list(self._samples)
                self._samples.clear()
                self._samples.extend(samples + newer)
            raise
