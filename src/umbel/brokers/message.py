"""Reads a task message as it lies in Redis: kombu's envelope around Celery's headers and body.

Anybody may have written it, so nothing here raises: what can't be read is None, and `unreadable` says why. Bodies are
JSON or not looked at: nothing is unpickled, unpacked or evaluated.
"""

import base64
import binascii
import json
from typing import Any

from umbel.brokers.base import Message

#: Bytes of a body that is read for its arguments; a larger one shows what its headers tell.
MOST_BODY = 1_000_000


def decode_message(raw: bytes, *, position: int | None = None, priority: int | None = None) -> Message:
    """The message in the list of a queue."""
    envelope = _load(raw)
    if not isinstance(envelope, dict):
        return Message(position=position, size=len(raw), unreadable="It is no message of kombu's.")
    return decode_envelope(envelope, size=len(raw), position=position, priority=priority)


def decode_unacked(raw: bytes, *, delivered: float | None) -> tuple[Message, str, str]:
    """An entry of the `unacked` hash: the message, and the exchange and routing key that it came by."""
    entry = _load(raw)
    if not (isinstance(entry, list) and len(entry) == 3 and isinstance(entry[0], dict)):
        return Message(size=len(raw), delivered=delivered, unreadable="It is no entry of kombu's."), "", ""
    message = decode_envelope(entry[0], size=len(raw), delivered=delivered)
    return message, _text(entry[1]) or "", _text(entry[2]) or ""


def decode_envelope(
    envelope: dict[str, Any],
    *,
    size: int,
    position: int | None = None,
    priority: int | None = None,
    delivered: float | None = None,
) -> Message:
    """The message inside of kombu's envelope: Celery's protocol 2, or 1, or something else."""
    headers = _dict(envelope.get("headers"))
    properties = _dict(envelope.get("properties"))
    body = _body(envelope, properties) if "argsrepr" not in headers or "id" not in headers else None
    # protocol 1 has everything in its body; 2 has [args, kwargs, embed] there
    first = body if isinstance(body, dict) else {}
    told = {**first, **headers}
    args, kwargs = _arguments(headers, body)
    named = properties.get("priority")
    return Message(
        position=position,
        task_id=_text(told.get("id")) or _text(properties.get("correlation_id")),
        task=_text(told.get("task")),
        args=args,
        kwargs=kwargs,
        eta=_text(told.get("eta")),
        expires=_text(told.get("expires")),
        retries=_whole(told.get("retries")),
        priority=_whole(named) if named is not None else priority,
        root_id=_text(told.get("root_id")),
        parent_id=_text(told.get("parent_id")),
        origin=_text(told.get("origin")),
        size=size,
        delivered=delivered,
    )


def _arguments(headers: dict[str, Any], body: Any) -> tuple[str | None, str | None]:
    """args and kwargs as printed: the sender's own print where it gave one."""
    if "argsrepr" in headers or "kwargsrepr" in headers:
        return _text(headers.get("argsrepr")), _text(headers.get("kwargsrepr"))
    if isinstance(body, list) and len(body) == 3:
        args, kwargs = body[0], body[1]
    elif isinstance(body, dict) and "task" in body:
        args, kwargs = body.get("args", []), body.get("kwargs", {})
    else:
        return None, None
    return repr(tuple(args) if isinstance(args, list) else args), repr(kwargs)


def _body(envelope: dict[str, Any], properties: dict[str, Any]) -> Any:
    """The decoded body; None where it is not plain JSON, or large."""
    body = envelope.get("body")
    headers = _dict(envelope.get("headers"))
    if envelope.get("content-type") != "application/json" or headers.get("compression"):
        return None
    if not isinstance(body, str) or len(body) > MOST_BODY:
        return None
    if properties.get("body_encoding") != "base64":
        return _load(body.encode("utf-8", "replace"))
    try:
        return _load(base64.b64decode(body))
    except (binascii.Error, ValueError):
        return None


def _load(raw: bytes) -> Any:
    try:
        # not msgspec: it refuses NaN and lone surrogates, which real clients send
        return json.loads(raw.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    """Text that can be sent on: lone surrogates would not."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
