"""A task as Flower's JSON shows it: 30 keys in Flower's order. Pure; called by `flower_tasks`."""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from umbel.model.task import Task
from umbel.web.flower_json import dumps, dumps_plain

#: Flower's keys up to where the listings differ, and those after `worker`, with our names for them.
_HEAD = (
    ("uuid", "uuid"), ("name", "name"), ("state", "state"), ("received", "received"), ("sent", "sent"),
    ("started", "started"), ("rejected", "rejected"), ("succeeded", "succeeded"), ("failed", "failed"),
    ("retried", "retried"), ("revoked", "revoked"), ("args", "args"), ("kwargs", "kwargs"), ("eta", "eta"),
    ("expires", "expires"), ("retries", "retries"),
)  # fmt: skip
_TAIL = (
    ("result", "result"), ("exception", "exception"), ("timestamp", "updated"), ("runtime", "runtime"),
    ("traceback", "traceback"), ("exchange", "exchange"), ("routing_key", "routing_key"), ("clock", "clock"),
    ("client", "client"), ("root", "root_id"), ("root_id", "root_id"), ("parent", "parent_id"),
    ("parent_id", "parent_id"),
)  # fmt: skip
_ITEM = (*_HEAD, ("worker", "worker"), *_TAIL)
_LISTED = (*_HEAD, *_TAIL)

_item_keys = [key for key, _ in _ITEM]
_item_values, _listed_values = (attrgetter(*(name for _, name in pairs)) for pairs in (_ITEM, _LISTED))
_floats = attrgetter(
    "received", "sent", "started", "rejected", "succeeded", "failed", "retried", "revoked", "updated", "runtime"
)  # fmt: skip

#: A third of the time of a dict.
_Listed = msgspec.defstruct(
    "_Listed",
    [*((key, Any) for key, _ in _LISTED), ("children", Any), ("worker", str | UnsetType, UNSET)],
    gc=False,
)


def as_item(task: Task, children: Sequence[str]) -> dict[str, Any]:
    """As `/api/task/info` and the table have it: `worker` in its place, null when unknown."""
    item = dict(zip(_item_keys, _item_values(task), strict=True))
    item["children"] = list(children)
    return item


def as_listed(task: Task, children: Sequence[str]) -> msgspec.Struct:
    """As `/api/tasks` has it: `worker` last, and absent when unknown."""
    return _Listed(*_listed_values(task), children, UNSET if task.worker is None else task.worker)


def listed_text(tasks: Sequence[Task], children: Mapping[str, Sequence[str]]) -> str:
    """The JSON object of `/api/tasks` for these tasks, as `dumps` writes it."""
    listed = {task.uuid: as_listed(task, children.get(task.uuid, ())) for task in tasks}
    return dumps_plain(listed) if are_plain(tasks) else dumps(msgspec.to_builtins(listed))


def are_plain(tasks: Sequence[Task]) -> bool:
    """Their floats are of usual size, so that every JSON encoder writes them alike."""
    for task in tasks:
        for value in _floats(task):
            if value and not 1e-4 <= value < 1e16:
                return False
    return True
