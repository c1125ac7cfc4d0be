"""What a result backend keeps of a task, read from the dict that Celery makes of it, and the same as a `Task`.

Pure. Called by the web side, for a task of which no event was seen, and by `control.retry`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from celery import states

from umbel.control.calling import text_of
from umbel.model.event import REDACTED, TRUNCATED
from umbel.model.redact import Redactor
from umbel.model.task import Task

#: Children that are told; as in the history.
MOST_CHILDREN = 1_000

_MOMENTS = {
    states.SUCCESS: "succeeded", states.FAILURE: "failed", states.REVOKED: "revoked", states.REJECTED: "rejected",
}  # fmt: skip


class StoredResult(msgspec.Struct, frozen=True, kw_only=True):
    """One task at the result backend. None: not kept there."""

    uuid: str
    state: str
    #: As Celery gives it: an exception where the state is one of a failure.
    result: Any
    traceback: str | None
    #: Epoch seconds UTC.
    date_done: float | None
    #: These are kept with `result_extended` only; `args` and `kwargs` may be of any type.
    name: str | None
    worker: str | None
    #: The routing key of its message.
    routing_key: str | None
    retries: int | None
    args: Any
    kwargs: Any
    parent_id: str | None
    children: tuple[str, ...]

    @property
    def is_ready(self) -> bool:
        """The task has ended."""
        return self.state in states.READY_STATES


def read_meta(uuid: str, meta: Mapping[str, Any]) -> StoredResult | None:
    """What Celery read; None where the backend knows nothing: it calls every id that it does not have PENDING."""
    state = str(meta.get("status"))
    if state == states.PENDING:
        return None
    return StoredResult(
        uuid=uuid,
        state=state,
        result=meta.get("result"),
        traceback=_text(meta.get("traceback")),
        date_done=_moment(meta.get("date_done")),
        name=_text(meta.get("name")),
        worker=_text(meta.get("worker")),
        routing_key=_text(meta.get("queue")),
        retries=_whole(meta.get("retries")),
        args=meta.get("args"),
        kwargs=meta.get("kwargs"),
        parent_id=_text(meta.get("parent_id")),
        children=_children(meta.get("children")),
    )


def task_of(stored: StoredResult, redactor: Redactor | None, max_text: int) -> Task:
    """The task as pages show it: texts printed, cut to `max_text` characters and redacted as those of events are."""
    task = Task(stored.uuid, name=stored.name, state=stored.state, worker=stored.worker)
    task.retries, task.routing_key, task.parent_id = stored.retries, stored.routing_key, stored.parent_id
    task.finished, task.updated = stored.is_ready, stored.date_done or 0.0
    if stored.state in _MOMENTS:
        setattr(task, _MOMENTS[stored.state], stored.date_done)
    is_error = stored.state in states.EXCEPTION_STATES
    texts = {
        "args": print_args(stored.args),
        "kwargs": None if stored.kwargs is None else text_of(stored.kwargs),
        "exception": text_of(stored.result) if is_error and stored.result is not None else None,
        "result": None
        if is_error or (stored.result is None and not stored.is_ready)
        else text_of(stored.result),
        "traceback": stored.traceback,
    }
    for field, text in texts.items():
        if text is not None:
            shown, flags = clean_text(text, redactor, max_text)
            setattr(task, field, shown)
            task.origin |= flags
    return task


def print_args(args: Any) -> str | None:
    """Positional arguments as senders print them: a tuple."""
    if args is None:
        return None
    return text_of(tuple(args)) if isinstance(args, list) else text_of(args)


def clean_text(text: str, redactor: Redactor | None, max_text: int) -> tuple[str, int]:
    """`text` as it may be shown, and what was done to it."""
    flags = 0
    text = text.encode("utf-8", "replace").decode()
    if len(text) > max_text:
        text, flags = text[:max_text], TRUNCATED
    clean = text if redactor is None else redactor.redact_text(text)
    return clean, flags | (REDACTED if clean is not text else 0)


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _moment(value: Any) -> float | None:
    """Backends give a datetime or ISO 8601; without an offset it is UTC, as workers before Celery 5.4 wrote it."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


def _children(value: Any) -> tuple[str, ...]:
    """The ids of results in the form of Celery's `as_tuple`: ((id, parent), children)."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return ()
    found = []
    for child in value[:MOST_CHILDREN]:
        inner: Any = getattr(child, "id", child)
        while isinstance(inner, Sequence) and not isinstance(inner, str) and inner:
            inner = inner[0]
        if isinstance(inner, str):
            found.append(inner)
    return tuple(found)
