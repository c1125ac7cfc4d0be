"""Task records to database rows and back, the same for every engine. Pure; used by writers and readers."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import msgspec

from umbel.model.plain import Life
from umbel.model.task import Task
from umbel.store.packing import pack
from umbel.store.schema import tasks

_SHOWN = {field.name for field in msgspec.structs.fields(Task)}
_MOST_FIELDS = tuple(
    column.name for column in tasks.columns if column.name in _SHOWN and column.name != "root_id"
)
#: Columns that are fields of `Task`, in the order of rows. The root is last: most are their own, and hold "" there.
TASK_FIELDS: tuple[str, ...] = (*_MOST_FIELDS, "root_id")

#: Rarely different between two states of a task: an update that leaves them alone spares four indexes.
_STEADY_FIELDS = frozenset(
    ("uuid", "name", "args", "kwargs", "root_id", "parent_id", "eta", "expires", "queue", "exchange",
     "routing_key", "client", "sent", "received", "first_seen")
)  # fmt: skip
CHANGING_FIELDS: tuple[str, ...] = tuple(name for name in TASK_FIELDS if name not in _STEADY_FIELDS)

#: Every text that can be searched or sorted by.
_TEXTS = ("uuid", "name", "state", "worker", "args", "kwargs", "result", "exception", "queue", "exchange",
          "routing_key", "client", "eta", "expires")  # fmt: skip

_most = attrgetter(*_MOST_FIELDS)
_changing = attrgetter(*CHANGING_FIELDS)
_steady = attrgetter(*sorted(_STEADY_FIELDS))
_texts = attrgetter(*_TEXTS)


def insert_row(task: Task, life: Life) -> tuple[Any, ...]:
    """Values for `TASK_FIELDS`, ascii, marks."""
    root_id = "" if task.root_id == task.uuid else task.root_id
    return (*_most(task), root_id, is_ascii(task), pack(task, life))


def update_row(task: Task, life: Life) -> tuple[Any, ...]:
    """Values for `CHANGING_FIELDS`, ascii, marks and the uuid."""
    return (*_changing(task), is_ascii(task), pack(task, life), task.uuid)


def is_steady(before: Task, after: Task) -> bool:
    """Only `CHANGING_FIELDS` differ."""
    return bool(_steady(before) == _steady(after))


def is_ascii(task: Task) -> bool:
    """SQL's own LIKE and lower() are right for all texts of this task. (NUL ends a string for them.)"""
    text = "".join([text for text in _texts(task) if text])
    return text.isascii() and "\0" not in text


def task_of(row: Sequence[Any]) -> Task:
    """The task of a row that begins with `TASK_FIELDS`."""
    task = Task(**dict(zip(TASK_FIELDS, row, strict=False)))
    task.finished = bool(task.finished)
    task.redelivered = bool(task.redelivered)
    if task.root_id == "":
        task.root_id = task.uuid
    return task
