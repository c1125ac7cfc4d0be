"""What an overload takes from a message that it does not refuse: the texts of most tasks, which are most of its bytes.

States, times, names and errors stay, so that every count is right. Used by `ingest.buffer`.
"""

import re
from typing import Any

import msgspec

#: Texts that are shed; exceptions and tracebacks are rarer and wanted most.
_TEXTS = ("args", "kwargs", "result")

#: Last digits of the task ids that keep their texts, in all of their events: one task in 16.
_SAMPLED = "0"

_SENDER = re.compile(rb'"hostname"\s*:\s*"([^"]*)"')

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def thin(body: bytes, content_type: str) -> tuple[bytes, int]:
    """The message without the texts of most tasks, and how many of its events lost any."""
    if content_type != "application/json":
        return body, 0
    try:
        content: Any = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body, 0  # odd, and the decoder's business
    events = content if isinstance(content, list) else [content]
    shed = sum(_shed(event) for event in events if isinstance(event, dict))
    return (_encode(content), shed) if shed else (body, 0)


def _shed(event: dict[str, Any]) -> bool:
    uuid = event.get("uuid")
    if isinstance(uuid, str) and uuid[-1:] == _SAMPLED:
        return False
    found = [name for name in _TEXTS if event.get(name)]
    for name in found:
        del event[name]
    return bool(found)


def sender_of(body: bytes) -> bytes:
    """The hostname in a message of one event, as it stands there; b"" when there is none."""
    found = _SENDER.search(body)
    return found[1] if found else b""


def count_events(body: bytes) -> int:
    """How many events a message holds, without reading it."""
    return max(1, body.count(b'"type"'))
