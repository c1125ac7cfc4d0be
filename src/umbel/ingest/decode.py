"""Raw broker messages become typed events: the only parser of untrusted data.

JSON goes through msgspec in one step; what that refuses (lone surrogates, NaN, kombu's `__type__` values, odd types) is
read again by the standard library, repaired and flagged. What cannot be read is counted by cause, never fatal.
Called by `ingest.pipeline`.
"""

import json
import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal, get_args

import msgspec

from umbel.errors import DecodeError
from umbel.ingest.redis_line import NOT_AN_ENVELOPE
from umbel.model.event import REPAIRED, TRUNCATED, Event

#: Timestamps outside 2000-01-01 .. 2100-01-01 are not times.
EARLIEST, LATEST = 946684800.0, 4102444800.0

#: Deeper nesting or more events than Celery ever sends in one message (24) is refused.
MAX_EVENTS = 10_000

_TEXTS = (
    "args", "kwargs", "result", "exception", "traceback", "name", "root_id", "parent_id", "eta", "expires",
    "queue", "exchange", "routing_key", "sw_ident", "sw_ver", "sw_sys",
)  # fmt: skip
_LONG_TEXTS = ("args", "kwargs", "result", "exception", "traceback")
_INTS = ("pid", "clock", "retries", "signum", "active", "processed")
_FLOATS = ("utcoffset", "runtime", "freq")
_FLAGS = ("requeue", "terminated", "expired")

#: A type is `group-what`, where what may be anything a custom state is called.
_TYPE = re.compile(r"(task|worker)-[^\s]{1,100}\Z")
#: Longer identifiers than these are cut from nobody's real life.
_MAX_ID = 400
_INT_MAX = 2**63 - 1
_RUNTIME_MAX = 1e12

_ACCEPT = {
    "pickle": "application/x-python-serialize",
    "yaml": "application/x-yaml",
    "msgpack": "application/x-msgpack",
}


#: What the bounds of events are checked by while they are decoded; `_check` names what is out of them.
_Int = Annotated[int, msgspec.Meta(ge=-_INT_MAX, le=_INT_MAX)]
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=_MAX_ID)]


#: Celery's own types of event, which need no look at their spelling.
_KnownType = Literal[
    "task-received", "task-started", "task-succeeded", "task-sent", "task-failed", "task-retried", "task-rejected",
    "task-revoked", "task-cancelled", "worker-heartbeat", "worker-online", "worker-offline",
]  # fmt: skip
_KNOWN_TYPES = frozenset(get_args(_KnownType))


class _Sound(Event, gc=False, kw_only=True):
    """An event of a known type within all bounds."""

    type: _KnownType
    hostname: _Id
    timestamp: Annotated[float, msgspec.Meta(ge=EARLIEST, le=LATEST)]
    pid: _Int = 0
    clock: _Int = 0
    uuid: _Id | None = None
    root_id: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    runtime: Annotated[float, msgspec.Meta(ge=0, lt=_RUNTIME_MAX)] | None = None
    #: Ours alone: who sends another one is read again, and it is taken away.
    origin: Annotated[int, msgspec.Meta(ge=0, le=0)] = 0


_NO_ERRORS: tuple[DecodeError, ...] = ()


class Decoder:
    """Turns message bodies into events. `accept` names content types besides JSON whose senders are trusted."""

    def __init__(self, *, accept: Collection[str] = (), max_message: int, max_text: int) -> None:
        self._accept = frozenset(_ACCEPT.get(name, name) for name in accept)
        self._max_message = max_message
        self._max_text = max_text
        self._strict = msgspec.json.Decoder(_Sound | list[_Sound]).decode
        self._typed = msgspec.json.Decoder(Event | list[Event]).decode

    def decode(
        self, body: bytes, content_type: str, received_at: float
    ) -> tuple[Sequence[Event], Sequence[DecodeError]]:
        """The task and worker events of one message, and what of it could not be read.

        Our own probes and events of other groups (a user's `custom-…`) are neither.
        """
        if content_type != "application/json" or len(body) > self._max_message:
            return self._decode_other(body, content_type, received_at)
        try:
            decoded = self._strict(body)
        except msgspec.ValidationError:
            return self._decode_loosely(body, received_at)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._decode_slowly(body, received_at)
        events = decoded if isinstance(decoded, list) else [decoded]
        for event in events:
            event.received_at = received_at
            if event.uuid is None and event.type[:5] == "task-":
                return self._decode_loosely(body, received_at)
        if len(body) > self._max_text:
            events = [self._cut(event) for event in events]
        return events, _NO_ERRORS

    def _decode_loosely(
        self, body: bytes, received_at: float
    ) -> tuple[Sequence[Event], Sequence[DecodeError]]:
        """What is well-formed, but not all of it within bounds."""
        try:
            decoded = self._typed(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._decode_slowly(body, received_at)
        events = decoded if isinstance(decoded, list) else [decoded]
        for event in events:
            event.received_at = received_at
            event.origin = 0
        return self._check_all(events)

    def _check_all(self, events: Iterable[Event]) -> tuple[Sequence[Event], Sequence[DecodeError]]:
        kept: list[Event] = []
        errors: list[DecodeError] = []
        for event in events:
            try:
                if _check(event):
                    kept.append(self._cut(event))
            except DecodeError as error:
                errors.append(_bare(error))
        return kept, errors

    def _decode_other(
        self, body: bytes, content_type: str, received_at: float
    ) -> tuple[Sequence[Event], Sequence[DecodeError]]:
        if len(body) > self._max_message:
            return [], [DecodeError("too-big", f"a message of {len(body)} bytes")]
        if content_type == NOT_AN_ENVELOPE:
            return [], [DecodeError("envelope", "not a message of kombu's")]
        if content_type in ("json", "application/json; charset=utf-8"):
            return self.decode(body, "application/json", received_at)
        if content_type not in self._accept:
            return [], [
                DecodeError(
                    "content-type",
                    f"content type {content_type[:80]!r} is not accepted",
                )
            ]
        from kombu.serialization import loads

        encoding = "binary" if content_type == _ACCEPT["pickle"] else "utf-8"
        try:
            value = loads(body, content_type, encoding, accept=[content_type])
        except Exception as error:  # a pickle may raise anything
            return [], [DecodeError(content_type.rpartition("-")[2], f"{type(error).__name__}: {error}")]
        return self._coerce_all(value, received_at, 0)

    def _decode_slowly(
        self, body: bytes, received_at: float
    ) -> tuple[Sequence[Event], Sequence[DecodeError]]:
        """What msgspec refused, read by the standard library, which takes NaN and lone surrogates."""
        try:
            text = body.decode("utf-8", "replace")
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            return [], [DecodeError("json", f"not JSON: {error}")]
        return self._coerce_all(value, received_at, REPAIRED)

    def _coerce_all(
        self, value: Any, received_at: float, origin: int
    ) -> tuple[Sequence[Event], Sequence[DecodeError]]:
        items = value if isinstance(value, list) else [value]
        if len(items) > MAX_EVENTS:
            return [], [DecodeError("too-many", f"{len(items)} events in one message")]
        events: list[Event] = []
        errors: list[DecodeError] = []
        for item in items:
            try:
                event = _coerce(item)
                event.received_at = received_at
                event.origin |= origin
                if _check(event):
                    events.append(self._cut(event))
            except DecodeError as error:
                errors.append(_bare(error))
            except (TypeError, ValueError, OverflowError, RecursionError) as error:
                errors.append(DecodeError("type", f"{type(error).__name__}: {error}"))
        return events, errors

    def _cut(self, event: Event) -> Event:
        limit = self._max_text
        for field in _LONG_TEXTS:
            text = getattr(event, field)
            if text is None or len(text) * 4 <= limit:
                continue
            data = text.encode()
            if len(data) > limit:
                setattr(event, field, data[:limit].decode("utf-8", "ignore"))
                event.origin |= TRUNCATED
        return event


def _check(event: Event) -> bool:
    """Whether it is an event for us; raises DecodeError where it pretends to be one."""
    type_ = event.type
    if type_.startswith("task-"):
        if not event.uuid or len(event.uuid) > _MAX_ID:
            raise DecodeError("not-an-event", f"{type_[:80]} without a task id")
    elif not type_.startswith("worker-"):
        return False
    if not EARLIEST <= event.timestamp <= LATEST:
        raise DecodeError("timestamp", f"time {event.timestamp!r} is no date of this century")
    if not event.hostname or len(event.hostname) > _MAX_ID:
        raise DecodeError("not-an-event", f"{type_[:80]} without a sender")
    if type_ not in _KNOWN_TYPES and not _TYPE.match(type_):
        raise DecodeError("not-an-event", f"type {type_[:80]!r}")
    if not (-_INT_MAX <= event.clock <= _INT_MAX and -_INT_MAX <= event.pid <= _INT_MAX):
        raise DecodeError("type", "clock or pid out of range")
    if event.root_id == "":
        event.root_id = None
    if event.runtime is not None and not 0 <= event.runtime < _RUNTIME_MAX:
        event.runtime = None
        event.origin |= REPAIRED
    return True


def _bare(error: DecodeError) -> DecodeError:
    """The error without the frames that it and its causes came through: they hold the messages of a whole pass."""
    error.__context__ = None
    return error.with_traceback(None)


def _coerce(value: Any) -> Event:
    """An event out of a decoded object, each field as its type wants it or left out."""
    value = _unwrap(value)
    if not isinstance(value, dict):
        raise DecodeError("not-an-event", f"a {type(value).__name__} instead of an object")
    type_, hostname, timestamp = (
        value.get("type"),
        value.get("hostname"),
        value.get("timestamp"),
    )
    if not isinstance(type_, str) or not isinstance(hostname, str):
        raise DecodeError("not-an-event", "no type or no sender")
    time = _number(timestamp)
    if time is None:
        raise DecodeError("timestamp", f"time {str(timestamp)[:80]!r}")
    event = Event(type=_clean(type_), hostname=_clean(hostname), timestamp=time)
    uuid = value.get("uuid")
    event.uuid = None if uuid is None else _text(uuid)
    for field, converted in _fields(value):
        setattr(event, field, converted)
    return event


def _fields(value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The optional fields that could be read, by name."""
    for field in _TEXTS:
        if value.get(field) is not None:
            yield field, _text(value[field])
    for field in _INTS:
        number = _number(value.get(field))
        if number is not None and abs(number) <= _INT_MAX:
            yield field, int(number)
    for field in _FLOATS:
        number = _number(value.get(field))
        if number is not None:
            yield field, number
    for field in _FLAGS:
        if isinstance(value.get(field), bool):
            yield field, value[field]
    load = value.get("loadavg")
    if isinstance(load, (list, tuple)):
        numbers = [_number(item) for item in load[:3]]
        if all(number is not None for number in numbers):
            yield "loadavg", numbers


def _unwrap(value: Any) -> Any:
    """kombu's `{"__type__": …, "__value__": …}` (dates, UUIDs, decimals) as the text or number it carries."""
    if isinstance(value, dict):
        if "__type__" in value and "__value__" in value:
            return _unwrap(value["__value__"])
        return {key: _unwrap(item) if isinstance(item, dict) else item for key, item in value.items()}
    return value


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and len(value) > 40:
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return _clean(value)
    return _clean(value if isinstance(value, str) else repr(value))


def _clean(text: str) -> str:
    """`text` without lone surrogates, which neither UTF-8 nor a database can hold; pairs are joined."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
