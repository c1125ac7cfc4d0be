"""Chunks on their way into the history: written by a thread, in their order, while the next ones are prepared.

SQLite works without the interpreter's lock, so preparing and writing use a core each. A chunk that fails holds up all
behind it, and nothing is forgotten before it is stored. Owned by `ingest.pipeline`.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from umbel.ingest.chunk import Chunk
from umbel.store.base import HistoryWriter

#: Rows that may be on their way while the next chunk is prepared, or one chunk of any size: a full one that is being
#: written, and a small one behind it, with which a flush ended. Another full one would make nothing faster, and take
#: 7 MB.
ROWS_AHEAD = 6_000
#: And their bytes, which are hardly more than half as many as a rule.
BYTES_AHEAD = 12_000_000


class _HeldUp(Exception):
    """A chunk before this one could not be written."""


class WriteBehind:
    """The queue of chunks. All methods but the thread's own are called from the pipeline's thread."""

    def __init__(self, store: HistoryWriter, on_stored: Callable[[Chunk], None]) -> None:
        """`on_stored` is called from the pipeline's thread, once for each chunk, in order."""
        self._store = store
        self._on_stored = on_stored
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="umbel-store")
        self._chunks: deque[tuple[Chunk, Future[None]]] = deque()
        self._failed = False
        #: What else was to be done behind a chunk, last.
        self._aside: Future[None] | None = None

    @property
    def has_failed(self) -> bool:
        """A chunk could not be written, and holds up those behind it."""
        return self._failed

    @property
    def chunks(self) -> Sequence[Chunk]:
        """What is on its way, oldest first."""
        return [chunk for chunk, _ in self._chunks]

    def submit(self, chunk: Chunk) -> bool:
        """Have a chunk written; wait while enough is on its way. Return whether that was so. Raises as `settle`."""
        self._chunks.append((chunk, self._thread.submit(self._write, chunk)))
        has_waited = False
        while len(self._chunks) > 1 and self._is_far_ahead():
            has_waited = has_waited or not self._chunks[0][1].done()
            self._settle_oldest()
        while self._chunks and self._chunks[0][1].done():
            self._settle_oldest()
        return has_waited

    def run(self, act: Callable[[], None]) -> None:
        """Do `act` after the chunks on their way, without waiting for it; at once when there are none, or when the one
        before it failed: what it raises then is raised here."""
        before, self._aside = self._aside, None
        if self._chunks and (before is None or before.exception() is None):
            self._aside = self._thread.submit(act)
        else:
            act()

    def settle(self) -> None:
        """Wait until nothing is on its way.

        Raises:
            StoreError: A chunk can't be written now. All are kept; `retry` tries again.
        """
        while self._chunks:
            self._settle_oldest()

    def _settle_oldest(self) -> None:
        chunk, written = self._chunks[0]
        written.result()
        self._chunks.popleft()
        self._on_stored(chunk)

    def _is_far_ahead(self) -> bool:
        chunks = self.chunks
        return (
            sum(len(chunk.changes.tasks) for chunk in chunks) > ROWS_AHEAD
            or sum(chunk.size for chunk in chunks) > BYTES_AHEAD
        )

    def retry(self) -> None:
        """Try again what could not be written, and wait for it. Raises as `settle`."""
        chunks = self.take_back()
        for chunk in chunks:
            self._chunks.append((chunk, self._thread.submit(self._write, chunk)))
        self.settle()

    def take_back(self) -> Sequence[Chunk]:
        """All chunks that are not stored, oldest first; none is on its way any more."""
        left = []
        while self._chunks:
            chunk, written = self._chunks.popleft()
            if written.cancel() or written.exception() is not None:
                left.append(chunk)
            else:
                self._on_stored(chunk)
        self._failed = False
        return left

    def close(self) -> None:
        """Let the thread end after what it is writing."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _write(self, chunk: Chunk) -> None:
        if self._failed:
            raise _HeldUp
        begun = time.perf_counter()
        try:
            self._store.write(chunk.changes)
        except BaseException:
            self._failed = True
            raise
        chunk.seconds = time.perf_counter() - begun
