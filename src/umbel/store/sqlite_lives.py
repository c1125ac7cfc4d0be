"""Tasks as they are stored, with all that is kept of them: what new events are folded into.

Used by `store.sqlite_writer`, and by `store.writer_process` on the near side.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from umbel.model.fold import join
from umbel.model.plain import Life
from umbel.model.task import Record, Task, TaskError
from umbel.store.packing import unpack
from umbel.store.rows import TASK_FIELDS, task_of

#: ids in one SELECT: few sizes, for the driver keeps 128 statements, and one for 500 ids takes 100 kB.
_SIZES = (1, 8, 32, 128, 500)
_LIVES = f"SELECT {', '.join(TASK_FIELDS)}, marks FROM tasks"
_ERRORS = "SELECT uuid, time, rank, exception, traceback FROM task_errors"

#: Runs one query and returns its rows.
Select = Callable[[str, Sequence[object]], list[Any]]


def read_lives(select: Select, uuids: Collection[str]) -> dict[str, tuple[Task, Life]]:
    """The stored ones of these tasks, by uuid."""
    found: dict[str, tuple[Task, Life]] = {}
    for batch in _batches(uuids):
        for row in select(f"{_LIVES} WHERE uuid IN ({_marks(batch)})", batch):
            task = task_of(row)
            found[task.uuid] = (task, unpack(task, row[-1]))
    # which of its errors a task shows may become another one by an event that comes late
    _add_earlier_errors(select, found)
    return found


def _add_earlier_errors(select: Select, found: dict[str, tuple[Task, Life]]) -> None:
    failed = [uuid for uuid, (_, life) in found.items() if isinstance(life, Record) and life.errors]
    for batch in _batches(failed):
        for uuid, *values in select(f"{_ERRORS} WHERE uuid IN ({_marks(batch)})", batch):
            task, life = found[uuid]
            assert isinstance(life, Record)
            found[uuid] = task, join(life, Record(uuid, (), {}, (TaskError(*values),)))


def _batches(uuids: Collection[str]) -> Iterator[Sequence[str]]:
    """The ids in batches of `_SIZES`; what is missing to one is made up by an id that it has."""
    ids = list(uuids)
    for start in range(0, len(ids), _SIZES[-1]):
        batch = ids[start : start + _SIZES[-1]]
        size = next(size for size in _SIZES if size >= len(batch))
        yield batch + batch[:1] * (size - len(batch))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
