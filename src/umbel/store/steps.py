"""Steps through the order of a column: where one begins and ends, which rows are in it, and how long it should be.

Used by `store.paging`.
"""

import operator
import time
from typing import Any

import msgspec
import sqlalchemy as sa

from umbel.store.condition import Condition, unindexed
from umbel.store.order import Position, Segment
from umbel.store.schema import tasks

#: Rows looked at in the first step of a walk, in the first of a block, and in the longest.
FIRST_STEP, FIRST_PIECE, LONGEST_STEP = 500, 4_000, 20_000
#: Fewer rows are no step.
_SHORTEST_STEP = 50
#: Seconds: after a quicker step the next is twice as long, after a slower one half.
_QUICK, _SLOW = 0.05, 0.2

_uuid = tasks.c.uuid


class Place(msgspec.Struct, frozen=True):
    """Where to begin in a column: at a value, of which only rows beyond `uuid` are left where that is given."""

    value: Any
    inclusive: bool = True
    uuid: str | None = None


class Pace:
    """How many rows to look at in a step: texts of 64 kB take a hundred times as long as those of most tasks."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._began = time.monotonic()

    def note_step(self) -> None:
        """A step ended, and the next begins."""
        now = time.monotonic()
        took, self._began = now - self._began, now
        if took > _SLOW:
            self.rows = max(_SHORTEST_STEP, self.rows // 2)
        elif took < _QUICK:
            self.rows = min(self.rows * 2, LONGEST_STEP)


def place_in(segment: Segment, position: Position | None) -> Place | None:
    """Where in the segment to go on after `position`."""
    if position is None:
        return None
    if segment.is_block:
        return Place(position.uuid, inclusive=False) if segment.key == position.key else None
    if segment.walked is not None and position.key is None:
        return None
    return Place(position.key, uuid=position.uuid)


def next_place(place: Place | None, edge: Any) -> Place:
    """After a step that ended before `edge`. Rows that share one value are one step, however many."""
    if place is not None and place.inclusive and place.value == edge:
        return Place(edge, inclusive=False)
    return Place(edge)


def between(
    column: sa.ColumnElement[Any], place: Place | None, edge: Any, down: bool
) -> tuple[Condition, ...]:
    """Rows from `place` on and before `edge`, None being either end."""
    found: list[Condition] = []
    if place is not None:
        value = place.value
        if edge is not None and place.inclusive and value == edge:
            found.append(column == value)
        else:
            found.append(_is_at(column, place, down))
            if edge is not None:
                found.append(column > edge if down else column < edge)
        if place.uuid is not None:
            tied = _uuid < place.uuid if down else _uuid > place.uuid
            found.append(sa.or_(column < value if down else column > value, tied))
    elif edge is not None:
        found.append(column > edge if down else column < edge)
    return tuple(found)


def _is_at(column: sa.ColumnElement[Any], place: Place, down: bool) -> Condition:
    compare = (
        (operator.le if place.inclusive else operator.lt)
        if down
        else (operator.ge if place.inclusive else operator.gt)
    )
    found: Condition = compare(column, place.value)
    return found


def beyond(segment: Segment, place: Place, down: bool) -> tuple[Condition, ...]:
    """Rows of a segment from `place` on, found out row by row."""
    if segment.sort is None:
        return between(unindexed(_uuid), place, None, down)
    if segment.walked is not None:
        return between(unindexed(segment.walked), place, None, down)
    if place.value is None:
        tied = _uuid < place.uuid if down else _uuid > place.uuid
        missing = sa.and_(segment.sort.is_(None), tied)
        return (missing,) if down else (sa.or_(missing, segment.sort.is_not(None)),)
    after = sa.and_(*between(segment.sort, place, None, down))
    return (sa.or_(after, segment.sort.is_(None)) if down else after,)
