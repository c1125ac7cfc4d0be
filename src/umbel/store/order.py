"""The orders in which tasks are listed, cut into segments that an index can walk, and cursors into them.

Numbers have an index each: rows with a value and rows without are two segments. States, names and workers have few
values: all rows of one value are a segment, in the order of their uuids. Used by `store.paging`.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa

from umbel.errors import CursorError
from umbel.store.base import SortField, TaskQuery
from umbel.store.condition import FACET_FIELDS, Condition, Known, is_any, unindexed
from umbel.store.partition import MOST_MERGED
from umbel.store.schema import tasks
from umbel.store.text import KEY_LENGTH, sort_key

Key = str | float | None

#: Numeric columns with an index of their own.
INDEXED = ("updated", "received", "started", "runtime")


class Position(msgspec.Struct, frozen=True, array_like=True):
    """What a cursor says: the last row given out, in which order."""

    sort: SortField
    descending: bool
    key: Key
    uuid: str


class Found(msgspec.Struct, frozen=True, gc=False):
    """A row's place in an order."""

    id: int
    key: Key
    uuid: str


class Segment(msgspec.Struct, frozen=True):
    """Rows that follow each other in an order."""

    #: What makes a row belong to it, for an index to look up, and the same to be found out row by row.
    where: tuple[Condition, ...]
    plain: tuple[Condition, ...]
    #: What its rows are sorted by before their uuid; None where all have the same.
    sort: sa.ColumnElement[Any] | None
    #: The column whose index gives the rows in this order, be it with others among them; None: no index does. That of
    #: uuids, which a block is walked by, is cut.
    walked: sa.Column[Any] | None
    #: All rows have this key, where `sort` is None.
    key: Key = None
    #: How many rows it has, where that is known.
    size: int | None = None
    #: The partitions of the index that finds its rows, where that is cut.
    partitions: tuple[int, ...] = ()

    @property
    def is_block(self) -> bool:
        """Its condition is looked up in an index."""
        return self.sort is None


def segments(query: TaskQuery, known: Known, partitions: Sequence[int]) -> list[Segment]:
    """The query's order from its first row to its last, filters not regarded.

    `partitions` are those of the index that has this order, none where it is not cut.
    """
    sort = query.sort
    if sort in FACET_FIELDS:
        parts = _text_segments(sort, known)
    elif sort in INDEXED and len(partitions) <= MOST_MERGED:
        column = tasks.c[sort]
        # told row by row as well: a block of candidates holds those without a value too
        told = () if sort == "updated" else (unindexed(column).is_not(None),)
        cut = tuple(partitions)
        with_value = Segment((column.is_not(None),), told, column, column, partitions=cut)
        without = _block(column, lambda of: of.is_(None), partitions=cut)
        # "updated" is never missing
        parts = [with_value] if sort == "updated" else [without, with_value]
    else:
        parts = [Segment((), (), sort_expression(sort), None)]
    return parts[::-1] if query.descending else parts


def _text_segments(sort: SortField, known: Known) -> list[Segment]:
    column = tasks.c[sort]
    spelled: dict[str, list[str]] = {}
    for value in known[sort]:
        if value:
            spelled.setdefault(sort_key(value) or "", []).append(value)
    parts = [
        _block(column, partial(is_any, values=values), key, sum(known[sort][value] for value in values))
        for key, values in sorted(spelled.items())
    ]
    if "" in known[sort]:
        parts[:0] = [_block(column, lambda of: of.is_(None)), _block(column, lambda of: of == "", "")]
    return parts


def _block(
    column: sa.Column[Any],
    make: Callable[[sa.ColumnElement[Any]], Condition],
    key: Key = None,
    size: int | None = None,
    partitions: tuple[int, ...] = (),
) -> Segment:
    """Rows with one value of `column`, by uuid."""
    where, plain = (make(column),), (make(unindexed(column)),)
    return Segment(where, plain, None, tasks.c.uuid, key, size, partitions)


def sort_expression(sort: SortField) -> sa.ColumnElement[Any]:
    """What rows are sorted by: numbers as they are, texts regardless of case."""
    column = tasks.c[sort]
    if not is_text(sort):
        return column
    return sa.case(
        (tasks.c.ascii == sa.true(), sa.func.lower(sa.func.substr(column, 1, KEY_LENGTH))),
        else_=sa.func.umbel_key(column),
    )


def is_text(sort: SortField) -> bool:
    """The column is sorted as text, regardless of case."""
    return isinstance(tasks.c[sort].type, sa.Text)


def rank(key: Key, uuid: str) -> tuple[bool, Any, str]:
    """What rows are compared by in Python: missing values first."""
    return (key is not None, 0 if key is None else key, uuid)


def encode_cursor(query: TaskQuery, last: Found) -> str:
    """The cursor that continues `query` after `last`."""
    packed = msgspec.msgpack.encode(Position(query.sort, query.descending, last.key, last.uuid))
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode_cursor(query: TaskQuery, cursor: str) -> Position:
    """Raises CursorError for anything that `encode_cursor` did not make for this order."""
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        position = msgspec.msgpack.decode(packed, type=Position)
    except (ValueError, binascii.Error, msgspec.MsgspecError) as exc:
        raise CursorError("This is not a paging cursor of this server") from exc
    if (position.sort, position.descending) != (query.sort, query.descending):
        raise CursorError("This cursor belongs to another sort order")
    if position.key is not None and isinstance(position.key, str) != is_text(query.sort):
        raise CursorError("This is not a paging cursor of this server")
    return position
