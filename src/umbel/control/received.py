"""What a task received: its arguments and the options of its message, read from the message or from the result.

Pickle is read only where the app's `accept_content` has it. Called by `control.retry`, in a thread.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec
from celery.backends.base import Backend, BaseKeyValueStoreBackend
from kombu.compression import decompress
from kombu.exceptions import ContentDisallowed
from kombu.serialization import loads, prepare_accept_content, registry

from umbel.brokers.base import WholeMessage
from umbel.control.fidelity import why_not_exact
from umbel.control.stored_result import StoredResult
from umbel.control.switchboard import one_line
from umbel.errors import Unusable
from umbel.model.task import Task

#: Headers of Celery's protocol, which a new message gets of its own. All others are the sender's.
_PROTOCOL = frozenset({
    "lang", "task", "id", "shadow", "eta", "expires", "group", "group_index", "retries", "timelimit", "root_id",
    "parent_id", "argsrepr", "kwargsrepr", "origin", "ignore_result", "replaced_task_nesting", "stamped_headers",
    "stamps", "compression", "umbel_retry_of", "sent_at", "redelivered",
})  # fmt: skip
#: What follows a task in a workflow: it is not repeated.
_FOLLOWERS = {"callbacks": "callbacks", "errbacks": "error callbacks", "chain": "chain", "chord": "chord"}


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker was given for one task."""

    name: str | None
    args: list[Any]
    kwargs: dict[str, Any]
    is_from_result: bool
    #: That of the message; None where nobody knows.
    serializer: str | None = None
    queue: str | None = None
    #: Options of `send_task` that say the same of the new message.
    options: dict[str, Any] = {}
    priority: int | None = None
    cautions: tuple[str, ...] = ()


def from_message(message: WholeMessage, accept: Iterable[str] | None) -> Received:
    """What the message holds. Raises Unusable."""
    headers = message.headers
    body = _decode(message, accept)
    if isinstance(body, list | tuple) and len(body) == 3:
        args, kwargs, embed = body
        told: Mapping[str, Any] = headers
    elif isinstance(body, dict) and "task" in body:  # protocol 1
        args, kwargs, embed, told = body.get("args") or [], body.get("kwargs") or {}, body, body
    else:
        raise Unusable("Its message is at the broker, but is none of Celery's protocol.")
    if not isinstance(args, list | tuple) or not isinstance(kwargs, dict):
        raise Unusable("Its message is at the broker, but its arguments are no list and dict.")
    priority = message.properties.get("priority")
    followers = [word for key, word in _FOLLOWERS.items() if isinstance(embed, Mapping) and embed.get(key)]
    return Received(
        name=told["task"] if isinstance(told.get("task"), str) else None,
        args=list(args),
        kwargs=kwargs,
        is_from_result=False,
        serializer=registry.type_to_name.get(message.content_type, message.content_type),
        queue=message.queue or None,
        options=_options(told, headers, priority),
        priority=priority if isinstance(priority, int) else None,
        cautions=tuple(_message_cautions(message, followers)),
    )


def from_result(
    stored: StoredResult | None, task: Task, backend: Backend, accepted: Collection[str]
) -> Received:
    """What the extended result holds. Raises Unusable."""
    if stored is None:
        raise Unusable("The result backend keeps no result of it.")
    if stored.args is None and stored.kwargs is None:
        raise Unusable(_no_arguments(backend))
    if not isinstance(stored.args, list | tuple) or not isinstance(stored.kwargs, dict):
        raise Unusable("Its result holds its arguments in printed form only.")
    if not _keeps_types(backend):
        raise Unusable(f"Its result backend, {type(backend).__name__}, may change the types of arguments.")
    if stored.name and task.name and stored.name != task.name:
        raise Unusable(f"Its result is one of the task {stored.name}, which replaced {task.name}.")
    why = why_not_exact(str(backend.serializer), accepted)
    if why:
        raise Unusable(f"Its result is not good enough: {why}.")
    return Received(
        name=stored.name, args=list(stored.args), kwargs=stored.kwargs, is_from_result=True,
        queue=stored.routing_key,
    )  # fmt: skip


def _decode(message: WholeMessage, accept: Iterable[str] | None) -> Any:
    body: Any = message.body
    try:
        compression = message.headers.get("compression")
        if compression:
            body = decompress(body, compression)
        allowed = prepare_accept_content(accept)
        return loads(body, message.content_type, message.content_encoding, accept=allowed)
    except ContentDisallowed as exc:
        kind = registry.type_to_name.get(message.content_type, message.content_type)
        raise Unusable(
            f"Its message is at the broker, but in {kind}, which the app's accept_content does not have."
        ) from exc
    except Exception as exc:  # a class of the user's own may raise anything while it is unpickled
        raise Unusable(f"Its message is at the broker, but can't be read: {one_line(exc)}") from exc


def _options(told: Mapping[str, Any], headers: Mapping[str, Any], priority: Any) -> dict[str, Any]:
    stamped = headers.get("stamped_headers") or ()
    own = {name: value for name, value in headers.items() if name not in _PROTOCOL and name not in stamped}
    hard, soft = _pair(told.get("timelimit"))
    options = {
        "headers": own,
        "priority": priority if isinstance(priority, int) else None,
        "time_limit": hard,
        "soft_time_limit": soft,
        "shadow": headers.get("shadow"),
        "ignore_result": headers.get("ignore_result") or None,
        "compression": headers.get("compression"),
        "argsrepr": headers.get("argsrepr"),
        "kwargsrepr": headers.get("kwargsrepr"),
    }
    return {name: value for name, value in options.items() if value is not None}


def _message_cautions(message: WholeMessage, followers: list[str]) -> Iterable[str]:
    where = "a worker holds it, or held it when it died" if message.held else f"it waits in {message.queue}"
    yield f"Its message is still at the broker ({where}), so the task may run once more without a retry."
    if followers:
        yield f"Its {' and '.join(followers)} are not repeated: only the task itself is."


def _pair(limits: Any) -> tuple[Any, Any]:
    return (limits[0], limits[1]) if isinstance(limits, list | tuple) and len(limits) == 2 else (None, None)


def _no_arguments(backend: Backend) -> str:
    from celery.backends.database import DatabaseBackend

    if isinstance(backend, DatabaseBackend) and not backend.app.conf.result_extended:
        return (
            "Its result tells no arguments: from a database they are read only with an app (-A) that has"
            " result_extended on."
        )
    return "Its result holds no arguments: result_extended is off."


def _keeps_types(backend: Backend) -> bool:
    """Backends that write arguments by their serializer; some put them into types of a database's own."""
    if isinstance(backend, BaseKeyValueStoreBackend):
        return type(backend).encode is Backend.encode
    from celery.backends.database import DatabaseBackend

    return type(backend) is DatabaseBackend
