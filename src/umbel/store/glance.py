"""A second connection to the history that is being written: it reads what was committed last, and waits for nobody.

Used by `store.sqlite_owned`, and by `store.writer_process` on the near side.
"""

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from umbel.store.sqlite_file import identity


class Glance:
    """Reads from the file at `path`. From any thread; one reads at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def read(
        self, written: tuple[int, int] | None, sql: str, parameters: Sequence[object] = ()
    ) -> list[Any] | None:
        """All rows of one query; None unless the file `written` lies at the path and can be read."""
        with self._lock:
            try:
                connection = self._open(written)
                return None if connection is None else connection.execute(sql, parameters).fetchall()
            except sqlite3.Error:
                self._close()
        return None

    def release_memory(self) -> None:
        """Empty the page cache."""
        with self._lock:
            if self._connection is not None:
                self._connection.execute("PRAGMA shrink_memory")

    def close(self) -> None:
        """Safe to call twice; the next `read` opens it again."""
        with self._lock:
            self._close()

    def _open(self, written: tuple[int, int] | None) -> sqlite3.Connection | None:
        current = identity(self._path)
        if current is None or current != written:
            return None
        if self._connection is None or current != self._identity:
            self._close()
            uri = f"{self._path.absolute().as_uri()}?mode=ro"
            self._connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA cache_size = -8192")
            self._identity = current
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
