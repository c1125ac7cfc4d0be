"""Time buckets in an SQLite history: each minute as it fills, hours and days once their minutes are over.

An hour's row and a day's are large, and each lies in a page of its own: to bring them up to date with every transaction
was a quarter of all that was written to disk. So `meta` says up to when minutes are in them; readers add the later
ones. Written in the caller's transaction.
"""

import sqlite3
from collections.abc import Mapping
from math import ceil

import msgspec
import sqlalchemy as sa

from umbel.model.rollup import Rollup, RollupKey
from umbel.store.schema import ROLLED_UP, meta, rollups
from umbel.store.totals import longer_spans, rollup_totals

#: Seconds after its end until a minute goes into its hour and day: what comes later than that goes into all three.
GRACE = 30

_MINUTE = 60
_READ_EDGE = "SELECT value FROM meta WHERE key = ?"
_PUT_EDGE = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
_ENDED = "SELECT label, start, data FROM rollups WHERE span = 60 AND kind = ? AND start >= ? AND start < ? ORDER BY 1"
#: Minutes that are put into their hours and days at once: unpacked they are many times as large.
_AT_ONCE = 64

_decode = msgspec.msgpack.Decoder(Rollup).decode


class RollupBook:
    """Adds differences to the buckets of one history."""

    def __init__(self) -> None:
        self._totals = rollup_totals()
        #: Minutes that begin before it are in their hours and days, epoch seconds; None: not read yet.
        self._edge: int | None = None

    def forget(self) -> None:
        """Drop what was remembered, after a transaction was undone or the file was replaced."""
        self._totals.forget()
        self._edge = None

    def add(self, cursor: sqlite3.Cursor, minutes: Mapping[RollupKey, Rollup], *, now: float) -> None:
        """Add to the buckets of these minutes, and of their hours and days now or later."""
        edge = self.roll_up(cursor, now=now)
        self._totals.add(cursor, minutes)
        late = {key: difference for key, difference in minutes.items() if key.start < edge}
        self._totals.add(cursor, longer_spans(late), remember=False)

    def roll_up(self, cursor: sqlite3.Cursor, *, now: float) -> int:
        """Put the minutes that are over into their hours and days; return up to when that is done."""
        if self._edge is None:
            row = cursor.execute(_READ_EDGE, (ROLLED_UP,)).fetchone()
            self._edge = 0 if row is None else int(row[0])
        edge = int(now - GRACE) // _MINUTE * _MINUTE
        if edge <= self._edge:
            return self._edge
        for kind in ("task", "worker"):
            rows = cursor.execute(_ENDED, (kind, self._edge, edge)).fetchall()
            for begin in range(0, len(rows), _AT_ONCE):
                part = rows[begin : begin + _AT_ONCE]
                ended = {RollupKey(kind, label, _MINUTE, start): _decode(data) for label, start, data in part}
                self._totals.add(cursor, longer_spans(ended), remember=False)
        cursor.execute(_PUT_EDGE, (ROLLED_UP, str(edge)))
        self._edge = edge
        # what is over is hardly written again, and thirty buckets of 10 kB a minute would pile up in memory
        self._totals.keep(lambda key: key.start >= edge)
        return edge


def select_rollups(*, kind: str, label: str | None, span: int, start: float, end: float) -> sa.Executable:
    """Label, start and data of the parts of buckets: several may be of one, each of which starts within it."""
    parts = [sa.and_(rollups.c.span == span, rollups.c.start >= start, rollups.c.start < end)]
    if span > _MINUTE:
        edge = sa.select(sa.cast(meta.c.value, sa.Integer)).where(meta.c.key == ROLLED_UP).scalar_subquery()
        first, last = ceil(start / span) * span, ceil(end / span) * span
        minutes = (rollups.c.start >= first, rollups.c.start < last, rollups.c.start >= edge)
        parts.append(sa.and_(rollups.c.span == _MINUTE, *minutes))
    selects = [
        sa.select(rollups.c.label, rollups.c.start, rollups.c.data).where(
            part, rollups.c.kind == kind, *(() if label is None else (rollups.c.label == label,))
        )
        for part in parts
    ]
    return sa.union_all(*selects)


def add_up(parts: list[tuple[str, int, bytes]], *, kind: str, span: int) -> list[tuple[RollupKey, Rollup]]:
    """The buckets that these parts make, oldest first, labels in order."""
    found: dict[tuple[int, str], Rollup] = {}
    for label, start, data in parts:
        key = (start // span * span, label)
        bucket = _decode(data)
        found[key] = bucket if key not in found else found[key].add(bucket)
    return [
        (RollupKey(kind, label, span, start), found[start, label])  # type: ignore[arg-type]
        for start, label in sorted(found)
    ]
