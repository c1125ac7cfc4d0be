"""Finds tasks by their uuid in an SQLite history, whose index of uuids is cut (`store.partition`).

Who asks for a task that is stored asks for a new one as a rule: the newest partitions are looked at first. Older ones
come from queues that were long, in the order in which they were sent: where some were found is looked at next, and all
partitions only for what is missing there. Used by the writer's modules.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from umbel.store.partition import PARTITIONS
from umbel.store.schema import PARTITION

#: ids in one SELECT: few sizes, for the driver keeps 128 statements, and one for 500 ids takes 100 kB.
_SIZES = (1, 8, 32, 128, 500)
#: Partitions that are remembered for having been found tasks in.
_REMEMBERED = 4
_NEWEST = f"SELECT {PARTITION} FROM tasks ORDER BY id DESC LIMIT 1"

#: Runs one query and returns its rows.
Select = Callable[[str, Sequence[object]], list[Any]]


class TaskFinder:
    """Looks up tasks of one history."""

    def __init__(self) -> None:
        #: Partitions in which older tasks were found, the latest first.
        self._remembered: tuple[int, ...] = ()

    def select_tasks(self, select: Select, columns: str, uuids: Collection[str]) -> Iterator[Any]:
        """Those of `columns`, the first of which is the uuid, of each of these tasks that is stored."""
        newest = select(_NEWEST, ())
        if not newest:
            return
        last = newest[0][0]
        for batch in batches(uuids):
            missing = set(batch)
            for row in select(_in_some(columns, 2, batch), (last - 1, last, *batch)):
                missing.discard(row[0])
                yield row
            if last > 1 and missing:
                yield from self._select_older(select, columns, missing)

    def find_rows(self, select: Select, uuids: Collection[str]) -> dict[str, int]:
        """uuid -> row id, of those of these tasks that are stored."""
        return dict(self.select_tasks(select, "uuid, id", uuids))

    def _select_older(self, select: Select, columns: str, missing: set[str]) -> Iterator[Any]:
        if self._remembered:
            some = (self._remembered * _REMEMBERED)[:_REMEMBERED]
            for batch in batches(missing):
                for row in select(_in_some(columns, _REMEMBERED, batch), (*some, *batch)):
                    missing.discard(row[0])
                    yield row
        every = (
            f"SELECT {PARTITION}, {columns} FROM tasks WHERE {PARTITION} IN ({PARTITIONS}) AND uuid IN ({{}})"
        )
        for batch in batches(missing):
            for partition, *row in select(every.format(places(batch)), batch):
                if partition not in self._remembered:
                    self._remembered = (partition, *self._remembered)[:_REMEMBERED]
                yield tuple(row)


def _in_some(columns: str, partitions: int, batch: Sequence[str]) -> str:
    """A statement for so many partitions and these ids."""
    some = places(range(partitions))
    return f"SELECT {columns} FROM tasks WHERE {PARTITION} IN ({some}) AND uuid IN ({places(batch)})"


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
