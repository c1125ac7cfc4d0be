"""Task records to database rows and back, the same for every engine. Pure; used by writers and readers."""

from collections.abc import Iterable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

from msgspec.structs import astuple

from umbel.model.plain import Life
from umbel.model.task import Task
from umbel.store.packing import pack

#: Columns that are fields of `Task`, in the order of rows. The root is last: most are their own, and hold "" there.
TASK_FIELDS: tuple[str, ...] = Task.__struct_fields__
assert TASK_FIELDS[-4:] == ("redelivered", "finished", "origin", "root_id")

#: Rarely different between two states of a task: an update that leaves them alone spares four indexes.
_STEADY_FIELDS = frozenset(
    ("uuid", "name", "args", "kwargs", "root_id", "parent_id", "eta", "expires", "queue", "exchange",
     "routing_key", "client", "sent", "received", "first_seen")
)  # fmt: skip
CHANGING_FIELDS: tuple[str, ...] = tuple(name for name in TASK_FIELDS if name not in _STEADY_FIELDS)

#: Every text that can be searched or sorted by.
_TEXTS = ("uuid", "name", "state", "worker", "args", "kwargs", "result", "exception", "queue", "exchange",
          "routing_key", "client", "eta", "expires")  # fmt: skip

_changing = attrgetter(*CHANGING_FIELDS)
_steady = attrgetter(*sorted(_STEADY_FIELDS))
_texts = attrgetter(*_TEXTS)


def insert_row(task: Task, life: Life, *, ascii: bool, room: int = 0) -> tuple[Any, ...]:
    """Values for `TASK_FIELDS`, ascii, marks with so much room."""
    # flags as integers and marks as a bytearray, which the driver binds at once (see `store.sqlite_bulk`)
    *values, redelivered, finished, origin, root_id = astuple(task)
    if root_id == task.uuid:
        root_id = ""
    return (*values, +redelivered, +finished, origin, root_id, +ascii, bytearray(pack(task, life, room)))


def update_row(task: Task, life: Life, *, ascii: bool, room: int = 0) -> tuple[Any, ...]:
    """Values for `CHANGING_FIELDS`, ascii, marks with so much room."""
    return (*_changing(task), ascii, pack(task, life, room))


def is_steady(before: Task, after: Task) -> bool:
    """Only `CHANGING_FIELDS` differ."""
    return bool(_steady(before) == _steady(after))


def are_ascii(tasks: Iterable[Task]) -> bool:
    """SQL's own LIKE and lower() are right for all texts of these tasks. (NUL ends a string for them.)"""
    text = "".join(filter(None, chain.from_iterable(map(_texts, tasks))))
    return text.isascii() and "\0" not in text


def task_of(row: Sequence[Any]) -> Task:
    """The task of a row that begins with `TASK_FIELDS`."""
    task = Task(*row[: len(TASK_FIELDS)])
    task.finished = bool(task.finished)
    task.redelivered = bool(task.redelivered)
    if task.root_id == "":
        task.root_id = task.uuid
    return task
