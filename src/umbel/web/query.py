"""Query parameters of `/api/v1`: structs that are both the check and the documentation.

`decode` turns a query string into one of them or refuses it, naming the parameter and what is allowed.
"""

import math
import re
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta
from starlette.datastructures import QueryParams

from umbel.store.base import SortField
from umbel.web.problem import Refused

SORT_FIELDS: tuple[str, ...] = get_args(SortField)
SORTS = [sign + field for field in SORT_FIELDS for sign in ("", "-")]
#: No answer of `/rollups` spans more buckets than this.
MAX_BUCKETS = 10_000

#: A moment: epoch seconds or ISO 8601, UTC where no offset is given.
Moment = Annotated[
    str,
    Meta(
        description="Epoch seconds, or ISO 8601 (UTC where it has no offset).",
        examples=["1795332795.5", "2026-11-22T09:30:00Z"],
    ),
]


class NoQuery(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """This operation takes no parameters."""


#: The width of time buckets.
Span = Annotated[
    int,
    Meta(description="Width in seconds.", extra_json_schema={"enum": [60, 3600, 86400]}),
]


class TaskListQuery(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which tasks, in which order. Filters are combined with AND."""

    search: Annotated[
        str,
        Meta(description="Flower's search grammar: terms, fields, AND, OR, quotes."),
    ] = ""
    state: Annotated[
        list[str],
        Meta(description="Exact, any case; repeat it for several, combined with OR."),
    ] = []
    name: Annotated[str | None, Meta(description="Task name: exact, any case.")] = None
    worker: Annotated[str | None, Meta(description="Worker's host name: exact, any case.")] = None
    root_id: Annotated[str | None, Meta(description="First task of the workflow.")] = None
    parent_id: Annotated[str | None, Meta(description="The task that sent these.")] = None
    received_from: Moment | None = None
    received_to: Moment | None = None
    sort: Annotated[
        str,
        Meta(
            description="Field, with - in front for descending.",
            extra_json_schema={"enum": SORTS},
        ),
    ] = "-updated"
    limit: Annotated[int, Meta(ge=1, le=1000, description="Tasks a page.")] = 50
    cursor: Annotated[
        str | None,
        Meta(description="`next` of the page before; only with the same sort."),
    ] = None


class FacetQuery(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which tasks to count. Filters are combined with AND and mean the same as those of the list."""

    name: Annotated[str | None, Meta(description="Task name: exact, any case.")] = None
    worker: Annotated[str | None, Meta(description="Worker's host name: exact, any case.")] = None


class RollupQuery(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which time buckets. The default is the last hour in minutes."""

    kind: Annotated[
        Literal["task", "worker", "all"],
        Meta(description="Buckets per task name, per worker, or of all tasks together."),
    ] = "task"
    label: Annotated[
        str | None, Meta(description="One task name or host name; each of them when absent.")
    ] = None
    span: Span = 60
    start: Moment | None = None
    end: Moment | None = None


class QueueRollupQuery(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which time buckets of queues. The default is the last hour in minutes, of the five that were longest then."""

    queue: Annotated[str | None, Meta(description="One queue's name; the longest queues when absent.")] = None
    largest: Annotated[
        int, Meta(ge=1, le=50, description="How many queues, those that were longest in this time.")
    ] = 5
    span: Span = 60
    start: Moment | None = None
    end: Moment | None = None


class GapQuery(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How many gaps, newest first."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class MessageQuery(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which messages of a queue. The default is those that are taken next."""

    held: Annotated[
        Literal["no", "yes"],
        Meta(description="yes: those that workers hold, not those that wait."),
    ] = "no"
    offset: Annotated[int, Meta(ge=0, le=1_000_000, description="Messages to leave out.")] = 0
    limit: Annotated[int, Meta(ge=1, le=200, description="Most messages.")] = 50


class InspectionQuery(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Whether to ask the worker, and how much of its lists to tell."""

    refresh: Annotated[
        Literal["no", "yes"],
        Meta(description="yes: ask the worker now, and wait for its answer."),
    ] = "no"
    limit: Annotated[int, Meta(ge=1, le=10_000, description="Most entries of each list.")] = 200


class AuditQuery(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which commands, newest first. Filters are exact, and combined with AND."""

    action: Annotated[str | None, Meta(description="What was asked for, such as `revoke`.")] = None
    target: Annotated[str | None, Meta(description="Task id, task name or worker.")] = None
    who: Annotated[str | None, Meta(description="Name of the one who asked.")] = None
    limit: Annotated[int, Meta(ge=1, le=1000, description="Commands a page.")] = 50
    cursor: Annotated[str | None, Meta(description="`next` of the page before.")] = None


class JobQuery(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which jobs, newest first."""

    limit: Annotated[int, Meta(ge=1, le=50, description="Jobs a page.")] = 20
    cursor: Annotated[str | None, Meta(description="`next` of the page before.")] = None


class JobItemQuery(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which tasks of a job, in the order in which they are told."""

    outcome: Annotated[
        Literal["waiting", "sent", "revoked", "started", "terminated", "ended", "failed", "not_sent"] | None,
        Meta(description="Those with this outcome only."),
    ] = None
    limit: Annotated[int, Meta(ge=1, le=1000, description="Tasks a page.")] = 50
    cursor: Annotated[str | None, Meta(description="`next` of the page before.")] = None


_Q = TypeVar("_Q", bound=msgspec.Struct)


def decode(params: QueryParams, kind: type[_Q]) -> _Q:
    """The query string as a `kind`. Raises Refused (400) for an unknown, repeated or bad parameter."""
    properties = parameters_of(kind)
    raw: dict[str, Any] = {}
    for name, value in params.multi_items():
        schema = properties.get(name)
        if schema is None:
            raise Refused(400, _unknown(name, properties), parameter=name)
        if schema.get("type") == "array":
            raw.setdefault(name, []).append(value)
        elif name in raw:
            raise Refused(400, f"{name} is given more than once.", parameter=name)
        elif "enum" in schema and value not in map(str, schema["enum"]):
            raise Refused(
                400,
                f"{name} is {value!r}; allowed: {_allowed(schema)}.",
                parameter=name,
            )
        else:
            raw[name] = value
    try:
        return msgspec.convert(raw, kind, strict=False)
    except msgspec.ValidationError as exc:
        match = re.search(r"`\$\.(\w+)", str(exc))
        name = match[1] if match else ""
        allowed = _allowed(properties.get(name, {}))
        raise Refused(
            400,
            f"{name} is {raw.get(name)!r}; allowed: {allowed}.",
            parameter=name or None,
        ) from exc


@cache
def parameters_of(kind: type[msgspec.Struct]) -> dict[str, dict[str, Any]]:
    """Parameter name -> JSON schema, in the struct's order."""
    (_,), components = msgspec.json.schema_components([kind])
    properties: dict[str, dict[str, Any]] = components[kind.__name__]["properties"]
    return properties


def decode_bounds(asked: RollupQuery | QueueRollupQuery, now: float) -> tuple[float, float]:
    """From when to when time buckets are asked for, epoch seconds UTC. Raises Refused (400)."""
    end = decode_moment(asked.end, "end")
    end = now if end is None else end
    start = decode_moment(asked.start, "start")
    start = end - 3600 if start is None else start
    queues = asked.largest if isinstance(asked, QueueRollupQuery) and asked.queue is None else 1
    if queues * (end - start) / asked.span > MAX_BUCKETS:
        of_each = f" of {queues} queues" if queues > 1 else ""
        raise Refused(
            400, f"At most {MAX_BUCKETS} buckets{of_each} fit between start and end.", parameter="start"
        )
    return start, end


def decode_moment(value: str | None, parameter: str) -> float | None:
    """Epoch seconds UTC of a `Moment`. Raises Refused (400)."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = _from_iso(value, parameter)
    if not math.isfinite(seconds):
        raise _bad_moment(value, parameter)
    return seconds


def _from_iso(value: str, parameter: str) -> float:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as exc:
        raise _bad_moment(value, parameter) from exc
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _bad_moment(value: str, parameter: str) -> Refused:
    return Refused(
        400,
        f"{parameter} is {value!r}; allowed: epoch seconds or ISO 8601.",
        parameter=parameter,
    )


def _unknown(name: str, properties: dict[str, dict[str, Any]]) -> str:
    known = ", ".join(properties) or "none"
    return f"There is no parameter {name!r}; allowed: {known}."


def _allowed(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    if "minimum" in schema:
        return f"a whole number from {schema['minimum']} to {schema['maximum']}"
    return "a text"
