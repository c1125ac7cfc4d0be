"""The JSON body of a call: arguments and Celery's options, checked and brought into the types that Celery wants.

Pure. What is wrong is a `CallError` with a sentence; nothing of it may come up inside Celery.
"""

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from umbel.errors import CallError

#: Flower's format; ISO 8601 is taken as well.
FLOWER_DATE = "%Y-%m-%d %H:%M:%S.%f"

#: Options that are objects of Celery's own, and the names of parameters: nobody can give them in JSON.
_IMPOSSIBLE = frozenset({
    "connection", "producer", "publisher", "router", "result_cls", "task_type", "route_name", "declare", "on_return",
    "self", "name", "body", "message", "P", "amqp",
})  # fmt: skip


class TaskCall(msgspec.Struct, frozen=True):
    """What a task is called with."""

    args: list[Any]
    kwargs: dict[str, Any]
    options: dict[str, Any]


def read_call(body: bytes) -> TaskCall:
    """The arguments and options of a body; an empty one has none. Raises CallError in Flower's words."""
    try:
        given = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError) as exc:
        raise CallError(str(exc) or "the body is nested too deeply") from exc
    if not isinstance(given, dict):
        raise CallError("invalid options")
    args, kwargs = given.pop("args", []), given.pop("kwargs", {})
    if not isinstance(args, list):
        raise CallError("args must be an array")
    if not isinstance(kwargs, dict):
        raise CallError("kwargs must be an object")
    return TaskCall(args, kwargs, given)


def celery_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` as Celery takes it: moments as datetimes, numbers as numbers; null is left out. Raises CallError."""
    options = {}
    for name, value in given.items():
        if name in _IMPOSSIBLE:
            raise CallError(f"Invalid option '{name}', it cannot be given here")
        if value is None:
            continue
        options[name] = _READERS.get(name, _as_it_is)(name, value)
    return options


def read_seconds(name: str, value: Any) -> float:
    """A finite number, or one as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _wrong(name, value, "a number")
    try:
        number = float(value)
    except (ValueError, OverflowError) as exc:
        raise _wrong(name, value, "a number") from exc
    if not math.isfinite(number):
        raise _wrong(name, value, "a finite number")
    return number


def _moment(name: str, value: Any) -> datetime:
    if isinstance(value, str):
        for parse in (lambda text: datetime.strptime(text, FLOWER_DATE), datetime.fromisoformat):
            try:
                return parse(value.strip())
            except ValueError:
                continue
    raise _wrong(name, value, "a date like 2026-11-22 09:30:00.0, or ISO 8601")


def _moment_or_seconds(name: str, value: Any) -> datetime | float:
    try:
        return read_seconds(name, value)
    except CallError:
        if isinstance(value, str):
            return _moment(name, value)
        raise _wrong(name, value, "a number of seconds or a date") from None


def _whole(low: int, high: int) -> Callable[[str, Any], int]:
    def read(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise _wrong(name, value, f"a whole number from {low} to {high}")
        return value

    return read


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(name, value, "a text")
    return value


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, value, "true or false")
    return value


def _object(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(name, value, "an object")
    return value


def _texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong(name, value, "an array of texts")
    return value


def _signature(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("task"), str):
        raise _wrong(name, value, "a signature, an object with 'task'")
    return value


def _signatures(name: str, value: Any) -> list[dict[str, Any]]:
    return [_signature(name, item) for item in (value if isinstance(value, list) else [value])]


def _retry_policy(name: str, value: Any) -> dict[str, Any]:
    allowed = ("max_retries", "interval_start", "interval_step", "interval_max")
    for key, number in _object(name, value).items():
        if key not in allowed or isinstance(number, bool) or not isinstance(number, int | float | None):
            raise _wrong(name, value, f"numbers for {', '.join(allowed)}")
    return dict(value)


def _delivery_mode(name: str, value: Any) -> Any:
    if value in (1, 2, "transient", "persistent") and not isinstance(value, bool):
        return value
    raise _wrong(name, value, "1, 2, transient or persistent")


def _as_it_is(name: str, value: Any) -> Any:
    return value


def _wrong(name: str, value: Any, expected: str) -> CallError:
    shown = repr(value)
    return CallError(
        f"Invalid option '{name}', expected {expected}, got {shown[:80]}{'…' * (len(shown) > 80)}"
    )


_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "eta": _moment,
    "expires": _moment_or_seconds,
    **dict.fromkeys(("countdown", "time_limit", "soft_time_limit", "timeout", "confirm_timeout"), read_seconds),
    "expiration": read_seconds,
    "priority": _whole(0, 255),
    **dict.fromkeys(("retries", "group_index", "replaced_task_nesting"), _whole(0, 2**31 - 1)),
    **dict.fromkeys(
        (
            "task_id", "queue", "exchange", "exchange_type", "routing_key", "serializer", "compression", "reply_to",
            "root_id", "parent_id", "group_id", "shadow", "argsrepr", "kwargsrepr", "content_type",
            "content_encoding", "correlation_id", "origin", "user_id", "app_id", "message_id", "type", "cluster_id",
        ),
        _text,
    ),
    **dict.fromkeys(("retry", "ignore_result", "add_to_parent", "mandatory", "immediate"), _truth),
    "headers": _object,
    "retry_policy": _retry_policy,
    "delivery_mode": _delivery_mode,
    **dict.fromkeys(("link", "link_error", "chain"), _signatures),
    "chord": _signature,
    "stamped_headers": _texts,
}  # fmt: skip
