"""Task queries as SQLAlchemy Core statements: filters, order, paging by cursor or offset.

The same for every engine that knows the functions named in `store.condition`. Used by readers.
"""

import base64
import binascii
from collections.abc import Collection
from typing import Any

import msgspec
import sqlalchemy as sa

from umbel.errors import CursorError
from umbel.model.task import Task
from umbel.store.base import Facet, SortField, TaskQuery
from umbel.store.condition import Condition, condition, is_any, matches_facet, uses
from umbel.store.rows import TASK_FIELDS
from umbel.store.schema import facets, tasks
from umbel.store.search import Term
from umbel.store.text import KEY_LENGTH, sort_key

_COLUMNS = tuple(tasks.c[name] for name in TASK_FIELDS)
_FACET_FIELDS = ("state", "name", "worker")


class Known(msgspec.Struct, frozen=True):
    """The states, names and workers that rows have now, as spelled: case-insensitive filters pick from them."""

    states: Collection[str]
    names: Collection[str]
    workers: Collection[str]


class Position(msgspec.Struct, frozen=True, array_like=True):
    """What a cursor says: the last row given out, in which order."""

    sort: SortField
    descending: bool
    key: str | float | None
    uuid: str


def encode_cursor(query: TaskQuery, last: Task) -> str:
    """The cursor that continues `query` after `last`."""
    value = getattr(last, query.sort)
    key = sort_key(value) if is_text(query.sort) else value
    packed = msgspec.msgpack.encode(Position(query.sort, query.descending, key, last.uuid))
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


def is_text(sort: SortField) -> bool:
    """The column is sorted as text, regardless of case."""
    return isinstance(tasks.c[sort].type, sa.Text)


def wants_known(query: TaskQuery) -> bool:
    """`filters` needs to know what is stored."""
    return bool(
        query.states
        or query.name is not None
        or query.worker is not None
        or uses(query.search, lambda term: isinstance(term, Term) and term.field == "state")
    )


def filters(query: TaskQuery, known: Known) -> list[Condition]:
    """Conditions that all must hold."""
    found: list[Condition] = []
    if query.states:
        wanted = {state.casefold() for state in query.states}
        found.append(is_any(tasks.c.state, [state for state in known.states if state.casefold() in wanted]))
    for column, value, stored in (
        (tasks.c.name, query.name, known.names),
        (tasks.c.worker, query.worker, known.workers),
    ):
        if value is not None:
            folded = value.casefold()
            found.append(is_any(column, [name for name in stored if name and name.casefold() == folded]))
    if query.root_id is not None:
        found.append(_in_family(query.root_id))
    if query.parent_id is not None:
        found.append(tasks.c.parent_id == query.parent_id)
    received = tasks.c.received
    if query.received_start is not None:
        found.append(sa.or_(received.is_(None), received >= query.received_start))
    if query.received_end is not None:
        found.append(sa.or_(received.is_(None), received <= query.received_end))
    if query.search is not None:
        found.append(condition(query.search, known.states))
    return found


def select_tasks(query: TaskQuery, known: Known) -> sa.Select[Any]:
    """All matching rows as `TASK_FIELDS`, in the query's order."""
    key = _sort_column(query.sort)
    by = [key.desc(), tasks.c.uuid.desc()] if query.descending else [key.asc(), tasks.c.uuid.asc()]
    return sa.select(*_COLUMNS).where(*filters(query, known)).order_by(*by)


def selects_after(query: TaskQuery, known: Known, position: Position) -> list[sa.Select[Any]]:
    """What follows `position`, as up to two statements to be read one after the other: rows with a sort value
    and rows without are apart, so that each can begin in the middle of an index."""
    statement = select_tasks(query, known)
    key, uuid = _sort_column(query.sort), tasks.c.uuid
    at, last = position.key, position.uuid
    if query.descending:
        if at is None:
            return [statement.where(key.is_(None), uuid < last)]
        return [statement.where(key <= at, sa.or_(key < at, uuid < last)), statement.where(key.is_(None))]
    if at is None:
        return [statement.where(key.is_(None), uuid > last), statement.where(key.is_not(None))]
    return [statement.where(key >= at, sa.or_(key > at, uuid > last))]


def count_statement(query: TaskQuery, known: Known, limit: int) -> sa.Select[Any]:
    """How many match, counting no further than `limit` + 1."""
    some = sa.select(sa.literal(1)).select_from(tasks).where(*filters(query, known)).limit(limit + 1)
    return sa.select(sa.func.count()).select_from(some.subquery())


def facets_suffice(query: TaskQuery) -> bool:
    """The query asks for nothing but state, name and worker."""
    beyond = (query.root_id, query.parent_id, query.received_start, query.received_end)
    return all(value is None for value in beyond) and not uses(
        query.search, lambda term: not isinstance(term, Term) or term.field not in _FACET_FIELDS
    )


def count_facets(query: TaskQuery, stored: Collection[Facet]) -> int:
    """How many rows match, from their counts by state, name and worker."""
    states = {state.casefold() for state in query.states}
    name = None if query.name is None else query.name.casefold()
    worker = None if query.worker is None else query.worker.casefold()
    return sum(
        facet.count
        for facet in stored
        if (not states or facet.state.casefold() in states)
        and (name is None or (facet.name and facet.name.casefold() == name))
        and (worker is None or (facet.worker and facet.worker.casefold() == worker))
        and (query.search is None or matches_facet(query.search, facet))
    )


def select_known(column: str) -> sa.Select[Any]:
    """The distinct values of a facet's column: "state", "name" or "worker"."""
    return sa.select(facets.c[column]).distinct()


def _sort_column(sort: SortField) -> sa.ColumnElement[Any]:
    column = tasks.c[sort]
    if not is_text(sort):
        return column
    return sa.case(
        (tasks.c.ascii == sa.true(), sa.func.lower(sa.func.substr(column, 1, KEY_LENGTH))),
        else_=sa.func.umbel_key(column),
    )


def _in_family(root_id: str) -> Condition:
    """Tasks of one root; the root itself is found by its uuid (see the index `tasks_root`)."""
    own_root = sa.and_(tasks.c.uuid == root_id, tasks.c.root_id == root_id)
    return sa.or_(own_root, sa.and_(tasks.c.root_id == root_id, tasks.c.root_id != tasks.c.uuid))
