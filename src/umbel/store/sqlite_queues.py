"""The names of queues in an SQLite history: which are remembered, and how often that is written."""

import sqlite3
from collections.abc import Iterable

from umbel.model.queue import LONGEST_NAME
from umbel.store.sqlite_bulk import insert_rows

#: Names beyond this are not remembered: an app that makes a queue for each job must not fill the history.
MOST_QUEUES = 20_000
#: Seconds after which a queue that is seen again is written again.
_REFRESH = 3600.0

_PUT = "ON CONFLICT (name) DO UPDATE SET last_seen = max(last_seen, excluded.last_seen)"


class QueueBook:
    """Writes the queues that are told, in the caller's transaction."""

    def __init__(self) -> None:
        #: Name -> when it was written; None: not read from the file yet.
        self._written: dict[str, float] | None = None

    def forget(self) -> None:
        """Drop what was remembered, after a transaction was undone or the file was replaced."""
        self._written = None

    def note(self, cursor: sqlite3.Cursor, names: Iterable[str], *, now: float) -> None:
        """These queues are there at epoch second `now`."""
        if self._written is None:
            self._written = dict(cursor.execute("SELECT name, last_seen FROM queues").fetchall())
        written, due = self._written, []
        for name in sorted(set(names)):
            if not 0 < len(name.encode("utf-8", "replace")) <= LONGEST_NAME:
                continue
            last = written.get(name)
            if now - last >= _REFRESH if last is not None else len(written) < MOST_QUEUES:
                written[name] = now
                due.append((name, now, now))
        if due:
            insert_rows(cursor, "INSERT INTO queues", due, _PUT)
