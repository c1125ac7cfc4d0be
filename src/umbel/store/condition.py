"""Search expressions as SQL conditions over the `tasks` table.

Rows whose texts are ASCII are compared by LIKE; the others by functions of `store.text`, which the engine must
know as `umbel_contains`, `umbel_key` and `umbel_has_pair`. Used by `store.queries`.
"""

from collections.abc import Callable, Collection

import sqlalchemy as sa

from umbel.store.base import Facet
from umbel.store.schema import tasks
from umbel.store.search import And, Expression, Or, Pair, Term
from umbel.store.text import pair_hint

_SEARCHED = ("uuid", "name", "state", "worker", "args", "kwargs", "result")

Condition = sa.ColumnElement[bool]


def condition(expression: Expression, states: Collection[str]) -> Condition:
    """SQL that is true for the tasks that match. `states` are the stored ones, spelled as stored."""
    if isinstance(expression, And):
        return sa.and_(*(condition(child, states) for child in expression.children))
    if isinstance(expression, Or):
        return sa.or_(*(condition(child, states) for child in expression.children))
    if isinstance(expression, Pair):
        return _has_pair(expression)
    if expression.field == "state":
        return is_any(tasks.c.state, [state for state in states if state.casefold() == expression.text])
    return _contains(expression.text, _SEARCHED if expression.field is None else (expression.field,))


def is_any(column: sa.Column[str], values: Collection[str]) -> Condition:
    """`column` is one of `values`; a single value lets an index give the order too."""
    if not values:
        return sa.false()
    return column == next(iter(values)) if len(values) == 1 else column.in_(sorted(values))


def uses(expression: Expression | None, test: Callable[[Term | Pair], bool]) -> bool:
    """Any term of the expression passes `test`."""
    if expression is None:
        return False
    if isinstance(expression, And | Or):
        return any(uses(child, test) for child in expression.children)
    return test(expression)


def matches_facet(expression: Expression, facet: Facet) -> bool:
    """Whether rows counted in `facet` match. Only for terms on state, name and worker."""
    if isinstance(expression, And):
        return all(matches_facet(child, facet) for child in expression.children)
    if isinstance(expression, Or):
        return any(matches_facet(child, facet) for child in expression.children)
    assert isinstance(expression, Term)
    value = {"state": facet.state, "name": facet.name, "worker": facet.worker}[
        expression.field or ""
    ].casefold()
    return expression.text == value if expression.field == "state" else expression.text in value


def _contains(text: str, fields: tuple[str, ...]) -> Condition:
    columns = [tasks.c[field] for field in fields]
    beyond_ascii = sa.and_(tasks.c.ascii == sa.false(), sa.func.umbel_contains(text, *columns))
    if not _is_plain(text):
        return beyond_ascii
    pattern = f"%{_escaped(text)}%"
    plain = sa.and_(
        tasks.c.ascii == sa.true(), sa.or_(*(column.like(pattern, escape="\\") for column in columns))
    )
    return sa.or_(plain, beyond_ascii)


def _has_pair(pair: Pair) -> Condition:
    kwargs = tasks.c.kwargs
    hint = pair_hint(pair.key, pair.value)
    exact: Condition = sa.func.umbel_has_pair(kwargs, f"{pair.key}={pair.value}", hint)
    if not hint:
        return sa.and_(kwargs.is_not(None), exact)
    # calling a function takes ten times as long as LIKE
    possible = sa.or_(
        kwargs.like(f"%{_escaped(pair.key)}%", escape="\\"),
        kwargs.like("%\\\\%", escape="\\"),
        tasks.c.ascii == sa.false(),
    )
    return sa.and_(possible, exact)


def _is_plain(text: str) -> bool:
    return text.isascii() and "\0" not in text


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
