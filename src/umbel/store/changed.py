"""Which senders changed since the last look, as the feed tells: totals stay in step without reading all again."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from umbel.store.base import FeedPlace, HistoryReader

#: Seconds after which everything is read again, whatever the feed tells: nothing is wrong for longer than this.
THOROUGH = 600.0


class ChangedSenders:
    """One reader's place in the feed. Used by one thread at a time."""

    def __init__(self, reader: HistoryReader, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._clock = clock
        self._seen: FeedPlace | None = None
        self._thorough_at = 0.0

    @contextmanager
    def fetch(self) -> Iterator[frozenset[str] | None]:
        """The senders to read again, None for all of them; when the block fails, all of them next time."""
        now = self._clock()
        names = None
        if self._seen is None or now >= self._thorough_at:
            head = self._reader.fetch_feed_place()
        else:
            head, names = self._reader.fetch_changed_senders(self._seen)
        # what is read in the block is at least as new as this place
        self._seen = None
        yield names
        self._seen = head
        if names is None:
            self._thorough_at = now + THOROUGH
