"""Tasks as they are stored, with all that is kept of them: what new events are folded into.

Used by `store.sqlite_writer`, and by `store.writer_process` on the near side.
"""

from collections.abc import Collection

from umbel.model.fold import join
from umbel.model.plain import Life
from umbel.model.task import Record, Task, TaskError
from umbel.store.packing import unpack
from umbel.store.rows import TASK_FIELDS, task_of
from umbel.store.sqlite_ids import Select, TaskFinder, batches, places

_LIVES = f"{', '.join(TASK_FIELDS)}, marks"
_ERRORS = "SELECT uuid, time, rank, exception, traceback FROM task_errors"


def read_lives(finder: TaskFinder, select: Select, uuids: Collection[str]) -> dict[str, tuple[Task, Life]]:
    """The stored ones of these tasks, by uuid."""
    found: dict[str, tuple[Task, Life]] = {}
    for row in finder.select_tasks(select, _LIVES, uuids):
        task = task_of(row)
        found[task.uuid] = (task, unpack(task, row[-1]))
    # which of its errors a task shows may become another one by an event that comes late
    _add_earlier_errors(select, found)
    return found


def _add_earlier_errors(select: Select, found: dict[str, tuple[Task, Life]]) -> None:
    failed = [uuid for uuid, (_, life) in found.items() if isinstance(life, Record) and life.errors]
    for batch in batches(failed):
        for uuid, *values in select(f"{_ERRORS} WHERE uuid IN ({places(batch)})", batch):
            task, life = found[uuid]
            assert isinstance(life, Record)
            found[uuid] = task, join(life, Record(uuid, (), {}, (TaskError(*values),)))
