"""Copies a history's write-ahead log back into the file beside the writes, in a thread of its own.

SQLite would do it within a commit, which then waits for the disk: some tenths of a second for 64 MB. Only where writes
come faster than that, one has to wait. Used by `store.sqlite_owned`.
"""

import logging
import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

logger = logging.getLogger(__name__)

#: Bytes that the log grows by until it is copied back: pages that change again and again are copied once then. As many
#: as the file has, within these bounds: a log of 64 MB beside a file of one is hard to understand.
LEAST_COPIED_BYTES, COPIED_BYTES = 8 << 20, 64 << 20
#: Bytes of the log from which on a commit waits until all is copied, after which the log begins anew.
MOST_BYTES = 256 << 20

_COPY = "PRAGMA wal_checkpoint(PASSIVE)"


class Checkpointer:
    """Of one file. Owned by who writes it; the log must shrink when it begins anew (`journal_size_limit` 0)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread: threading.Thread | None = None
        #: The log's size when it was last copied, or begun.
        self._copied = 0

    def note_commit(self, connection: sqlite3.Connection) -> None:
        """Copy the log if it is time to. What fails is tried again; it takes nothing from what is committed."""
        try:
            size = os.stat(f"{self._path}-wal").st_size
            held = os.stat(self._path).st_size
        except OSError:
            return
        self._copied = min(self._copied, size)
        if size - self._copied < min(COPIED_BYTES, max(LEAST_COPIED_BYTES, held)):
            return
        if size >= MOST_BYTES:
            self.settle()
            _copy(connection)
        elif self._thread is not None and self._thread.is_alive():
            return
        else:
            self._thread = threading.Thread(target=self._run, name="umbel-checkpoint", daemon=True)
            self._thread.start()
        self._copied = size

    def settle(self) -> None:
        """Wait until nothing is being copied."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        try:
            with closing(
                sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=rw", uri=True)
            ) as connection:
                _copy(connection)
        except sqlite3.Error as exc:
            logger.debug("The log of %s could not be opened: %s", self._path, exc)


def _copy(connection: sqlite3.Connection) -> None:
    try:
        connection.execute(_COPY).fetchall()
    except sqlite3.Error as exc:
        logger.debug("The log could not be copied back: %s", exc)
