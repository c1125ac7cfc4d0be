"""To which queue a task is sent again: the one that it came from, by the best evidence that there is.

Called by `control.retry`, in a thread.
"""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from celery import Celery
from celery.exceptions import CeleryError

from umbel.control.inspect import Inspector
from umbel.control.received import Received
from umbel.errors import StoreError
from umbel.model.task import Task
from umbel.store.base import HistoryReader


class Destination(msgspec.Struct, frozen=True):
    """A queue, and what says that it is this one."""

    queue: str
    #: Its message, its task-sent event, the routing key in its result, or only the app's routes.
    known_from: Literal["message", "event", "result", "routes"]


def find_destination(
    app: Celery, inspector: Inspector, reader: HistoryReader, task: Task, received: Received | None
) -> Destination | None:
    """None: nobody knows it."""
    if received is not None and not received.is_from_result and received.queue:
        return Destination(received.queue, "message")
    if task.queue:
        return Destination(task.queue, "event")
    for key in (task.routing_key, received.queue if received else None):
        queue = _queue_of(key, app, inspector, reader) if key else None
        if queue is not None:
            return Destination(queue, "result")
    routed = _route(app, task.name)
    return None if routed is None else Destination(routed, "routes")


def _queue_of(key: str, app: Celery, inspector: Inspector, reader: HistoryReader) -> str | None:
    """The queue to which a routing key leads: mostly the one of that name."""
    known = list(_known(app, inspector))
    if any(name == key for name, _ in known):
        return key
    bound = {name for name, routing_key in known if routing_key == key}
    if len(bound) == 1:
        return bound.pop()
    try:
        return key if not bound and any(queue.name == key for queue in reader.fetch_queues()) else None
    except StoreError:
        return None


def _known(app: Celery, inspector: Inspector) -> Iterator[tuple[str, str]]:
    """(name, routing key) of the queues that the app or a worker named."""
    for name, queue in dict(app.amqp.queues).items():
        yield str(name), str(queue.routing_key or "")
    for answers in inspector.get_workers().values():
        queues: Any = answers.get("active_queues")
        for queue in queues if isinstance(queues, list) else ():
            if isinstance(queue, dict) and queue.get("name"):
                yield str(queue["name"]), str(queue.get("routing_key") or "")


def _route(app: Celery, name: str | None) -> str | None:
    """Where the app sends this task, if the task is its own: to anybody else's, a bare app's default means nothing."""
    if name is None or name not in app.tasks:
        return None
    try:
        queue = app.amqp.router.route({}, name).get("queue")
    except (CeleryError, LookupError, TypeError, ValueError):
        return None
    return None if queue is None else str(getattr(queue, "name", queue))
