"""A task as Flower's JSON shows it: 30 keys in Flower's order. Pure; called by `flower_tasks`."""

from collections.abc import Sequence
from typing import Any

from umbel.model.task import Task

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


def as_item(task: Task, children: Sequence[str]) -> dict[str, Any]:
    """As `/api/task/info` and the table have it: `worker` in its place, null when unknown."""
    item = {key: getattr(task, field) for key, field in _HEAD}
    item["worker"] = task.worker
    item.update({key: getattr(task, field) for key, field in _TAIL})
    item["children"] = list(children)
    return item


def as_listed(task: Task, children: Sequence[str]) -> dict[str, Any]:
    """As `/api/tasks` has it: `worker` last, and absent when unknown."""
    item = as_item(task, children)
    worker = item.pop("worker")
    if worker is not None:
        item["worker"] = worker
    return item
