"""Who sent events, and when last, in an SQLite history: what is kept of a sender goes when it has been silent for long.

Pods, and processes that send tasks, have new names each time. Written in the caller's transaction.
"""

import json
import sqlite3
from collections.abc import Collection, Sequence

from umbel.store.sqlite_bulk import insert_rows

#: Seconds after which a sender that is heard again is written again.
_REFRESH = 3600.0

_PUT = "ON CONFLICT (hostname) DO UPDATE SET last_seen = max(last_seen, excluded.last_seen)"
_SILENT = """
SELECT hostname FROM senders WHERE last_seen < ? AND hostname NOT IN (SELECT hostname FROM workers)
ORDER BY last_seen LIMIT ?
"""
_NAMES = "(SELECT value FROM json_each(:names))"
#: Which sets of bounds there are: as many looks into the index instead of a walk through it.
_BOUNDS = """
WITH RECURSIVE sets (bounds) AS (
    SELECT min(bounds) FROM runtimes
    UNION ALL SELECT (SELECT min(bounds) FROM runtimes WHERE bounds > sets.bounds) FROM sets
    WHERE sets.bounds IS NOT NULL)
SELECT bounds FROM sets WHERE bounds IS NOT NULL
"""
_LET_GO = (
    f"DELETE FROM counters WHERE worker IN {_NAMES}",
    f"DELETE FROM runtimes WHERE bounds IN ({_BOUNDS}) AND worker IN {_NAMES}",
    f"DELETE FROM rollups WHERE span IN (60, 3600, 86400) AND kind = 'worker' AND label IN {_NAMES}",
    f"DELETE FROM senders WHERE hostname IN {_NAMES}",
)


class SenderBook:
    """Writes the senders that are told, in the caller's transaction."""

    def __init__(self) -> None:
        #: Those written since the present hour of ours began, and when that was.
        self._written: set[str] = set()
        self._since = 0.0

    def forget(self) -> None:
        """Drop what was remembered, after a transaction was undone or the file was replaced."""
        self._written.clear()

    def note(self, cursor: sqlite3.Cursor, hostnames: Collection[str], *, now: float) -> None:
        """These were heard of at epoch second `now`."""
        if not 0 <= now - self._since < _REFRESH:
            self._written.clear()
            self._since = now
        new = sorted(set(hostnames) - self._written)
        if new:
            insert_rows(cursor, "INSERT INTO senders", [(hostname, now) for hostname in new], _PUT)
            self._written.update(new)


def let_go(cursor: sqlite3.Cursor, *, before: float, count: int) -> Sequence[str]:
    """Delete the counters, histograms and time buckets of some senders, `count` at most, that are no listed workers and
    were last heard of before that epoch second; return their names."""
    names = [hostname for (hostname,) in cursor.execute(_SILENT, (before, count))]
    if names:
        for statement in _LET_GO:
            cursor.execute(statement, {"names": json.dumps(names)})
    return names
