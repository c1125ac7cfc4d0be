"""What a task query asks for, as SQLAlchemy Core conditions and statements, and what facets already say about it.

The same for every engine that knows the functions named in `store.condition`. `store.order` has the orders,
`store.paging` finds the rows. Used by readers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

from umbel.store.base import TaskQuery
from umbel.store.condition import (
    FACET_FIELDS,
    Condition,
    Known,
    condition,
    facet_condition,
    has_value,
    is_any,
    matching,
    unindexed,
    uses,
)
from umbel.store.partition import has_uuid
from umbel.store.schema import facets, tasks
from umbel.store.search import And, Expression, Term

#: `root_id` of a task that is its own root. Not a parameter: with one the partial index `tasks_root` would not be used.
_OWN: sa.ColumnElement[str] = sa.literal_column("''")


def known_fields(query: TaskQuery) -> tuple[str, ...]:
    """The columns of `FACET_FIELDS` whose values must be known to answer `query`."""
    asked = {"state": bool(query.states), "name": query.name is not None, "worker": query.worker is not None}
    if query.search is not None and not facets_suffice(query):
        return FACET_FIELDS
    return tuple(
        field
        for field in FACET_FIELDS
        if asked[field] or field == query.sort or uses(query.search, partial(_names, field))
    )


def select_values(field: str, chosen: Mapping[str, Sequence[str]]) -> sa.Select[Any]:
    """The values of a facet's column in rows that have one of the `chosen` values."""
    where = [is_any(facets.c[other], values) for other, values in chosen.items()]
    return sa.select(facets.c[field]).where(*where).distinct()


def chosen_values(query: TaskQuery, known: Known) -> dict[str, list[str]]:
    """Column of `FACET_FIELDS` -> the values that every matching row has one of; only where the query says so."""
    found: dict[str, list[str]] = {}

    def narrow(field: str, values: list[str]) -> None:
        before = found.get(field)
        found[field] = values if before is None else [value for value in before if value in values]

    if query.states:
        wanted = {state.casefold() for state in query.states}
        narrow("state", [state for state in known["state"] if state.casefold() in wanted])
    for field, value in (("name", query.name), ("worker", query.worker)):
        if value is not None:
            folded = value.casefold()
            narrow(field, [stored for stored in known[field] if stored and stored.casefold() == folded])
    for part in _conjuncts(query.search):
        if isinstance(part, Term) and part.field in FACET_FIELDS:
            narrow(part.field, matching(part, known[part.field]))
    return found


def filters(query: TaskQuery, known: Known, *, without: str | None = None) -> list[Condition]:
    """Conditions that all must hold, none of which looks for an index; that on the column `without` is left out."""
    chosen = chosen_values(query, known)
    found = [has_value(field, values) for field, values in chosen.items() if field != without]
    found += lookups(query, indexed=False)
    rest = [
        condition(part, known)
        for part in _conjuncts(query.search)
        if not (isinstance(part, Term) and part.field in FACET_FIELDS)
    ]
    return found + rest


def lookups(query: TaskQuery, *, indexed: bool) -> list[Condition]:
    """The query's conditions on root, parent and receipt: for indexes to look up, or to be found out row by row."""
    of: Callable[[sa.ColumnElement[Any]], sa.ColumnElement[Any]] = _itself if indexed else unindexed
    found: list[Condition] = []
    if query.root_id is not None:
        own = has_uuid(query.root_id) if indexed else of(tasks.c.uuid) == query.root_id
        found.append(_in_family(query.root_id, own, of(tasks.c.root_id)))
    if query.parent_id is not None:
        found.append(of(tasks.c.parent_id) == query.parent_id)
    received = of(tasks.c.received)
    bounds = []
    if query.received_start is not None:
        bounds.append(received >= query.received_start)
    if query.received_end is not None:
        bounds.append(received <= query.received_end)
    if bounds:
        found.append(sa.or_(received.is_(None), sa.and_(*bounds)))
    return found


def _in_family(root_id: str, own: Condition, root: sa.ColumnElement[Any]) -> Condition:
    """Tasks of one root; the root itself is found by its `own` uuid (see the index `tasks_root`)."""
    return sa.or_(sa.and_(own, root == _OWN), sa.and_(root == root_id, tasks.c.root_id != _OWN))


def _itself(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return column


def facets_suffice(query: TaskQuery) -> bool:
    """The query asks for nothing but state, name and worker."""
    beyond = (query.root_id, query.parent_id, query.received_start, query.received_end)
    return all(value is None for value in beyond) and not uses(
        query.search, lambda term: not isinstance(term, Term) or term.field not in FACET_FIELDS
    )


def count_facets(query: TaskQuery, known: Known) -> sa.Select[Any]:
    """How many rows match, where facets suffice."""
    found = [is_any(facets.c[field], values) for field, values in chosen_values(query, known).items()]
    if query.search is not None:
        found.append(facet_condition(query.search, known))
    return sa.select(sa.func.coalesce(sa.func.sum(facets.c.n), 0)).where(*found)


def _conjuncts(expression: Expression | None) -> Iterator[Expression]:
    """The parts of a search that all must match."""
    if isinstance(expression, And):
        yield from expression.children
    elif expression is not None:
        yield expression


def _names(field: str, term: object) -> bool:
    return isinstance(term, Term) and term.field == field
