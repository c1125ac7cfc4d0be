"""Time buckets in an SQLite history: each minute as it fills, hours and days once their minutes are over.

An hour's row and a day's are large, and each lies in a page of its own: to bring them up to date with every transaction
was a quarter of all that was written to disk. So `rolled_up` says which minutes are in them; readers add the others. A
minute of many workers goes some at a time, so that no transaction is long. Written in the caller's transaction.
"""

import sqlite3
from collections.abc import Mapping
from math import ceil

import msgspec
import sqlalchemy as sa

from umbel.model.rollup import Kind, Rollup, RollupKey
from umbel.store.schema import rolled_up, rollups
from umbel.store.totals import longer_spans, rollup_totals

#: Seconds after its end until a minute goes into its hour and day: what comes later than that goes into all three.
GRACE = 30

_MINUTE = 60
_READ = "SELECT kind, edge, next, label FROM rolled_up"
_PUT = "UPDATE rolled_up SET edge = ?, next = ?, label = ? WHERE kind = ?"
#: Minutes of a kind that are between two times, and behind a label.
_ENDED = (
    "FROM rollups WHERE span = 60 AND kind = ?1 AND start >= ?2 AND start < ?3 AND (?4 IS NULL OR label > ?4)"
)
_LABELS = f"SELECT DISTINCT label {_ENDED} ORDER BY label LIMIT ?5"
_MINUTES = f"SELECT label, start, data {_ENDED} AND label <= ?5 ORDER BY label"
#: Labels whose minutes go into their hours and days in one transaction: 20 ms, as a rule.
MOST_LABELS = 200
#: Minutes that are put into their hours and days at once: unpacked they are many times as large.
_AT_ONCE = 64

_decode = msgspec.msgpack.Decoder(Rollup).decode


class _Progress(msgspec.Struct):
    """A row of `rolled_up`."""

    edge: int
    next: int
    label: str | None

    def has(self, key: RollupKey) -> bool:
        """This minute is in its hour and day."""
        done = self.label is not None and key.label <= self.label
        return key.start < (self.next if done else self.edge)


class RollupBook:
    """Adds differences to the buckets of one history."""

    def __init__(self) -> None:
        self._totals = rollup_totals()
        #: By kind; empty: not read yet.
        self._progress: dict[Kind, _Progress] = {}

    def forget(self) -> None:
        """Drop what was remembered, after a transaction was undone or the file was replaced."""
        self._totals.forget()
        self._progress.clear()

    def add(self, cursor: sqlite3.Cursor, minutes: Mapping[RollupKey, Rollup], *, now: float) -> None:
        """Add to the buckets of these minutes, and of their hours and days now or later."""
        self.roll_up(cursor, now=now)
        self._totals.add(cursor, minutes)
        late = {key: difference for key, difference in minutes.items() if self._progress[key.kind].has(key)}
        self._totals.add(cursor, longer_spans(late), remember=False)

    def roll_up(self, cursor: sqlite3.Cursor, *, now: float) -> bool:
        """Put minutes of some labels that are over into their hours and days; return whether all are."""
        if not self._progress:
            rows = cursor.execute(_READ).fetchall()
            self._progress = {kind: _Progress(edge, next_, label) for kind, edge, next_, label in rows}
        edge = int(now - GRACE) // _MINUTE * _MINUTE
        left = MOST_LABELS
        for kind, progress in self._progress.items():
            while progress.edge < edge:
                if not left:
                    return False
                if progress.next == progress.edge:
                    progress.next = edge
                left -= self._roll_up_some(cursor, kind, progress, left)
        return True

    def _roll_up_some(self, cursor: sqlite3.Cursor, kind: Kind, progress: _Progress, most: int) -> int:
        """Go on with one kind, for so many labels at most; return how many there were."""
        span = (kind, progress.edge, progress.next, progress.label)
        labels = cursor.execute(_LABELS, (*span, most)).fetchall()
        if labels:
            last = progress.label = labels[-1][0]
            rows = cursor.execute(_MINUTES, (*span, last)).fetchall()
            for begin in range(0, len(rows), _AT_ONCE):
                part = rows[begin : begin + _AT_ONCE]
                ended = {RollupKey(kind, label, _MINUTE, start): _decode(data) for label, start, data in part}
                self._totals.add(cursor, longer_spans(ended), remember=False)
        if len(labels) < most:
            edge = progress.edge = progress.next
            progress.label = None
            # what is over is hardly written again, and thirty buckets of 10 kB a minute would pile up in memory
            self._totals.keep(lambda key: key.kind != kind or key.start >= edge)
        cursor.execute(_PUT, (progress.edge, progress.next, progress.label, kind))
        return len(labels)


def select_rollups(*, kind: str, label: str | None, span: int, start: float, end: float) -> sa.Executable:
    """Label, start and data of the parts of buckets: several may be of one, each of which starts within it."""
    parts = [sa.and_(rollups.c.span == span, rollups.c.start >= start, rollups.c.start < end)]
    if span > _MINUTE:
        row = rolled_up.c.kind == kind
        edge = sa.select(rolled_up.c.edge).where(row).scalar_subquery()
        done = sa.exists().where(
            row, rollups.c.label <= rolled_up.c.label, rollups.c.start < rolled_up.c.next
        )
        first, last = ceil(start / span) * span, ceil(end / span) * span
        minutes = (rollups.c.start >= first, rollups.c.start < last, rollups.c.start >= edge)
        parts.append(sa.and_(rollups.c.span == _MINUTE, *minutes, ~done))
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
