"""Finds tasks by their uuid in an SQLite history, whose index of uuids is cut (`store.partition`).

Who asks for a task that is stored asks for a new one as a rule: the newest partitions are looked at first, all others
only for what is missing there. Used by the writer's modules.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from umbel.store.partition import PARTITIONS
from umbel.store.schema import PARTITION

#: ids in one SELECT: few sizes, for the driver keeps 128 statements, and one for 500 ids takes 100 kB.
_SIZES = (1, 8, 32, 128, 500)
_NEWEST = f"SELECT {PARTITION} FROM tasks ORDER BY id DESC LIMIT 1"

#: Runs one query and returns its rows.
Select = Callable[[str, Sequence[object]], list[Any]]


def select_tasks(select: Select, columns: str, uuids: Collection[str]) -> Iterator[Any]:
    """Those of `columns`, the first of which is the uuid, of each of these tasks that is stored."""
    newest = select(_NEWEST, ())
    if not newest:
        return
    last = newest[0][0]
    recent = f"SELECT {columns} FROM tasks WHERE {PARTITION} IN (?, ?) AND uuid IN ({{}})"
    every = f"SELECT {columns} FROM tasks WHERE {PARTITION} IN ({PARTITIONS}) AND uuid IN ({{}})"
    for batch in batches(uuids):
        rows = select(recent.format(places(batch)), (last - 1, last, *batch))
        yield from rows
        if last > 1 and (missing := set(batch).difference([row[0] for row in rows])):
            for rest in batches(missing):
                yield from select(every.format(places(rest)), rest)


def find_rows(select: Select, uuids: Collection[str]) -> dict[str, int]:
    """uuid -> row id, of those of these tasks that are stored."""
    return dict(select_tasks(select, "uuid, id", uuids))


def batches(uuids: Collection[str]) -> Iterator[Sequence[str]]:
    """The ids in batches of `_SIZES`; what is missing to one is made up by an id that it has."""
    ids = list(uuids)
    for start in range(0, len(ids), _SIZES[-1]):
        batch = ids[start : start + _SIZES[-1]]
        size = next(size for size in _SIZES if size >= len(batch))
        yield batch + batch[:1] * (size - len(batch))


def places(values: Sequence[object]) -> str:
    """Parameters for these in a list."""
    return ", ".join("?" * len(values))
