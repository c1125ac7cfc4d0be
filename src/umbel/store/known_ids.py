"""Which task ids a history may hold, so that new tasks are told from known ones without a look at the file.

A Bloom filter: whoever is not in it is new; of the others a few are new as well, and are looked up for nothing. It is
filled from the file in a thread of its own; until then every id is looked up. Used by `store.writer_process`.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path

from umbel.store.sqlite_file import identity

logger = logging.getLogger(__name__)

#: One bit for each id, in 2 MB: of ids that a million others are known beside, one in sixteen looks known.
_PLACES = 1 << 24
_MASK = _PLACES - 1
_BIT = tuple(1 << number for number in range(8))
#: More ids than this, and than it was filled with, make it be filled anew: ids of rows that were deleted stay in it.
_RENEWED_AFTER = 1 << 21
#: ids read from the file at a time, and the pause after that, as a multiple of what it took.
_BATCH, _REST = 5_000, 2.0
#: Seconds between attempts to read the file.
_RETRY = 60.0


class KnownIds:
    """Of the history at `path`. Methods may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        #: The bits, and the file all of whose ids are in them.
        self._known: tuple[bytearray, tuple[int, int]] | None = None
        #: Bits that are being filled.
        self._next: bytearray | None = None
        self._added, self._most = 0, _RENEWED_AFTER
        self._thread: threading.Thread | None = None
        self._next_try = 0.0
        self._stop = threading.Event()

    def sift(self, uuids: Collection[str], written: tuple[int, int] | None) -> Collection[str]:
        """Those that the file `written` may hold: all of them, as long as not all of its ids are known."""
        if written is None or identity(self._path) != written:
            return uuids
        known = self._known
        if known is None or known[1] != written or self._added > self._most:
            self._renew(written)
        if known is None or known[1] != written:
            return uuids
        bits = known[0]
        return [uuid for uuid in uuids if bits[(place := hash(uuid) & _MASK) >> 3] & _BIT[place & 7]]

    def add(self, uuids: Sequence[str]) -> None:
        """These were stored. To be called before anyone asks for them."""
        with self._lock:
            if self._known is not None:
                _mark(self._known[0], uuids)
            if self._next is not None:
                _mark(self._next, uuids)
            self._added += len(uuids)

    def close(self) -> None:
        """End the thread, and wait for that."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _renew(self, written: tuple[int, int]) -> None:
        if self._next is not None or time.monotonic() < self._next_try:
            return
        self._next_try = time.monotonic() + _RETRY
        # before the first look at the file: rows that are stored from now on are added
        self._next = bytearray(_PLACES // 8)
        self._thread = threading.Thread(
            target=self._fill, args=(self._next, written), name="umbel-ids", daemon=True
        )
        self._thread.start()

    def _fill(self, bits: bytearray, written: tuple[int, int]) -> None:
        found = None
        try:
            found = self._read(bits)
            if identity(self._path) != written:
                found = None
        except (sqlite3.Error, OSError) as exc:
            logger.info("The ids of the history could not be read, each is looked up: %s", exc)
        with self._lock:
            self._next = None
            if found is not None:
                self._known = bits, written
                self._added, self._most = 0, max(found, _RENEWED_AFTER)

    def _read(self, bits: bytearray) -> int | None:
        """Mark every id of the file; return how many there are, None when it was stopped before."""
        found, last = 0, ""
        with closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            while not self._stop.is_set():
                begun = time.monotonic()
                sql = "SELECT uuid FROM tasks WHERE uuid > ? ORDER BY uuid LIMIT ?"
                uuids = [row[0] for row in connection.execute(sql, (last, _BATCH))]
                if not uuids:
                    return found
                with self._lock:
                    _mark(bits, uuids)
                found, last = found + len(uuids), uuids[-1]
                self._stop.wait((time.monotonic() - begun) * _REST)
        return None


def _mark(bits: bytearray, uuids: Sequence[str]) -> None:
    for uuid in uuids:
        place = hash(uuid) & _MASK
        bits[place >> 3] |= _BIT[place & 7]
