"""Which task ids a history may hold, so that new tasks are told from known ones without a look at the file.

A Bloom filter in words of 64 bits: whoever is not in it is new; of the new ones one in two hundred looks known, and is
looked up for nothing. It is filled from the file in a thread of its own; until then every id is looked up, in each
partition. Used by `store.writer_process`.
"""

import logging
import random
import sqlite3
import threading
import time
from array import array
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path

from umbel.store.partition import PARTITIONS
from umbel.store.schema import PARTITION, PARTITION_BITS
from umbel.store.sqlite_file import identity

logger = logging.getLogger(__name__)

#: ids in a word, of which each sets five bits.
_IDS_A_WORD = 5
_random = random.Random(5)
_PATTERNS = tuple(sum(1 << bit for bit in _random.sample(range(64), 5)) for _ in range(4096))
#: Words at least, 1 MB, and room for so many times as many ids as the file has. With more than there is room for it is
#: filled anew; ids of rows that were deleted are forgotten then.
_FEWEST_WORDS = 1 << 17
_ROOM = 1.5
#: ids read from the file at a time, and the pause after that, as a multiple of what it took.
_BATCH, _REST = 5_000, 2.0
#: Seconds between attempts to read the file.
_RETRY = 60.0


class KnownIds:
    """Of the history at `path`. Methods may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        #: The words, and the file all of whose ids are in them.
        self._known: tuple[array[int], tuple[int, int]] | None = None
        #: Words that are being filled; none yet before the file is looked at.
        self._next: array[int] | None = None
        self._held = 0
        self._thread: threading.Thread | None = None
        self._next_try = 0.0
        self._stop = threading.Event()

    def prepare(self, written: tuple[int, int] | None) -> "array[int] | None":
        """The words of the file `written`; None as long as not all of its ids are known, which is seen to."""
        if written is None or identity(self._path) != written:
            return None
        known = self._known
        if known is None or known[1] != written or self._held > len(known[0]) * _IDS_A_WORD:
            self._renew(written)
        return None if known is None or known[1] != written else known[0]

    def sift(self, uuids: Collection[str], written: tuple[int, int] | None) -> Collection[str]:
        """Those that the file `written` may hold: all of them, as long as not all of its ids are known."""
        words = self.prepare(written)
        if words is None:
            return uuids
        count = len(words)
        return [
            uuid
            for uuid in uuids
            if words[(number := hash(uuid)) % count] & (pattern := _PATTERNS[number >> 40 & 4095]) == pattern
        ]

    def add(self, uuids: Sequence[str]) -> None:
        """These were stored. To be called before anyone asks for them."""
        with self._lock:
            if self._known is not None:
                _mark(self._known[0], uuids)
            if self._next:
                _mark(self._next, uuids)
            self._held += len(uuids)

    def close(self) -> None:
        """End the thread, and wait for that."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _renew(self, written: tuple[int, int]) -> None:
        if self._next is not None or time.monotonic() < self._next_try:
            return
        self._next_try = time.monotonic() + _RETRY
        self._thread = threading.Thread(target=self._fill, args=(written,), name="umbel-ids", daemon=True)
        self._next = array("Q")
        self._thread.start()

    def _fill(self, written: tuple[int, int]) -> None:
        filled = False
        try:
            with closing(
                sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)
            ) as connection:
                filled = self._read(connection) and identity(self._path) == written
        except (sqlite3.Error, OSError) as exc:
            logger.info("The ids of the history could not be read, each is looked up: %s", exc)
        with self._lock:
            words, self._next = self._next, None
            if filled and words is not None:
                self._known = words, written

    def _read(self, connection: sqlite3.Connection) -> bool:
        """Mark every id of the file; False when that was stopped."""
        with self._lock:
            # with it: rows that are stored from now on are added, and the others are read
            partitions = [row[0] for row in connection.execute(PARTITIONS)]
            most = len(partitions) << PARTITION_BITS
            self._next = words = array("Q", [0]) * max(_FEWEST_WORDS, int(most * _ROOM / _IDS_A_WORD))
            self._held = 0
        for partition in partitions:
            last = ""
            while uuids := self._read_some(connection, partition, last):
                with self._lock:
                    _mark(words, uuids)
                    self._held += len(uuids)
                last = uuids[-1]
                if self._stop.is_set():
                    return False
        return True

    def _read_some(self, connection: sqlite3.Connection, partition: int, last: str) -> list[str]:
        """The next ids of a partition; then rest, for ingest has more to do."""
        begun = time.monotonic()
        sql = f"SELECT uuid FROM tasks WHERE {PARTITION} = ? AND uuid > ? ORDER BY uuid LIMIT ?"
        uuids = [row[0] for row in connection.execute(sql, (partition, last, _BATCH))]
        self._stop.wait((time.monotonic() - begun) * _REST)
        return uuids


def _mark(words: "array[int]", uuids: Sequence[str]) -> None:
    count = len(words)
    for uuid in uuids:
        number = hash(uuid)
        words[number % count] |= _PATTERNS[number >> 40 & 4095]
