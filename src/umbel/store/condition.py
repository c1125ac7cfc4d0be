"""Search expressions as SQL conditions over the `tasks` table.

Rows whose texts are ASCII are compared by LIKE; the others by functions of `store.text`, which the engine must
know as `umbel_contains`, `umbel_key` and `umbel_has_pair`; `glob` is SQLite's own. State, name and worker have few
values: which of them match is found out before, so that rows are compared with those. Used by `store.queries`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from umbel.store.schema import facets, tasks
from umbel.store.search import And, Expression, Or, Pair, Term
from umbel.store.text import ODD_NUMBER_GLOBS, pair_hint, pair_words

#: Columns that `facets` counts rows by.
FACET_FIELDS = ("state", "name", "worker")
_OTHER_FIELDS = ("uuid", "args", "kwargs", "result")
#: More values than this are not listed in a statement where a comparison of texts does as well.
_MOST_LISTED = 30

Condition = sa.ColumnElement[bool]

#: Column of `FACET_FIELDS` -> each of its values, as stored ("" where unknown), and how many rows have it.
Known = Mapping[str, Mapping[str, int]]


class unindexed(FunctionElement[Any]):
    """A column that the database shall not look up in an index: another one gives the order."""

    name = "unindexed"
    inherit_cache = True


@compiles(unindexed)
def _plain(element: unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(unindexed, "sqlite")
def _with_plus(element: unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


def condition(expression: Expression, known: Known) -> Condition:
    """SQL that is true for the tasks that match. `known` holds all of `FACET_FIELDS`."""
    if isinstance(expression, And):
        return sa.and_(*(condition(child, known) for child in expression.children))
    if isinstance(expression, Or):
        return sa.or_(*(condition(child, known) for child in expression.children))
    if isinstance(expression, Pair):
        return _has_pair(expression)
    if expression.field in FACET_FIELDS:
        return has_value(expression.field, matching(expression, known[expression.field]))
    if expression.field is not None:
        return _contains(expression.text, (expression.field,))
    return _is_anywhere(expression, known)


def facet_condition(expression: Expression, known: Known) -> Condition:
    """The same over the rows of `facets`, for expressions that name only `FACET_FIELDS`."""
    if isinstance(expression, And):
        return sa.and_(*(facet_condition(child, known) for child in expression.children))
    if isinstance(expression, Or):
        return sa.or_(*(facet_condition(child, known) for child in expression.children))
    assert isinstance(expression, Term) and expression.field is not None
    return is_any(facets.c[expression.field], matching(expression, known[expression.field]))


def matching(term: Term, values: Iterable[str]) -> list[str]:
    """Those of a column's values that `term` finds; its own field, or none, is this column's."""
    if term.field == "state":
        return [value for value in values if value.casefold() == term.text]
    return [value for value in values if value and term.text in value.casefold()]


def is_any(column: sa.ColumnElement[Any], values: Collection[str]) -> Condition:
    """`column` is one of `values`; a single value lets an index give the order too."""
    if not values:
        return sa.false()
    return column == next(iter(values)) if len(values) == 1 else column.in_(sorted(values))


def has_value(field: str, values: Collection[str]) -> Condition:
    """The row's `field` is one of `values`, found out row by row."""
    return is_any(unindexed(tasks.c[field]), values)


def uses(expression: Expression | None, test: Callable[[Term | Pair], bool]) -> bool:
    """Any term of the expression passes `test`."""
    if expression is None:
        return False
    if isinstance(expression, And | Or):
        return any(uses(child, test) for child in expression.children)
    return test(expression)


def _is_anywhere(term: Term, known: Known) -> Condition:
    found: list[Condition] = []
    compared = list(_OTHER_FIELDS)
    for field in FACET_FIELDS:
        values = matching(Term("name", term.text), known[field])
        if len(values) > _MOST_LISTED:
            compared.append(field)
        elif values:
            found.append(has_value(field, values))
    return sa.or_(*found, _contains(term.text, compared))


def _contains(text: str, fields: Iterable[str]) -> Condition:
    columns = [tasks.c[field] for field in fields]
    beyond_ascii = sa.and_(tasks.c.ascii == sa.false(), sa.func.umbel_contains(text, *columns))
    if not _is_plain(text):
        return beyond_ascii
    plain = sa.and_(tasks.c.ascii == sa.true(), sa.or_(*(_holds(column, text) for column in columns)))
    return sa.or_(plain, beyond_ascii)


def _has_pair(pair: Pair) -> Condition:
    kwargs = tasks.c.kwargs
    hint = pair_hint(pair.key, pair.value)
    exact: Condition = sa.func.umbel_has_pair(kwargs, f"{pair.key}={pair.value}", hint)
    words = pair_words(pair.key, pair.value)
    if words is None:
        return sa.and_(kwargs.is_not(None), exact)
    # calling a function takes ten times as long as LIKE
    key, value = words
    held = [_holds(kwargs, key)]
    if value.isdigit():
        odd = (sa.func.glob(pattern, kwargs) for pattern in ODD_NUMBER_GLOBS)
        held.append(sa.or_(_holds(kwargs, value), *odd))
    elif value:
        held.append(_holds(kwargs, value))
    unclear = (_holds(kwargs, "\\"), _holds(kwargs, "#"), tasks.c.ascii == sa.false())
    return sa.and_(sa.or_(sa.and_(*held), *unclear), exact)


def _holds(column: sa.ColumnElement[Any], text: str) -> Condition:
    return column.like(f"%{_escaped(text)}%", escape="\\")


def _is_plain(text: str) -> bool:
    return text.isascii() and "\0" not in text


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
