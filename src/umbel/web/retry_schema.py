"""The wire types of a retry: what would be sent, what is asked, what came of it. As in `web.control_schema`."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from umbel.web.control_schema import Name


class RetryEdit(msgspec.Struct, kw_only=True):
    """What fills the form of a retry with edited arguments."""

    #: "message", "result": what the task received. "printed": the sender's print, which may say something else than
    #: what was sent: to be checked. null: nothing can be filled in, see `reason`.
    basis: Literal["message", "result", "printed"] | None
    #: JSON texts of an array and an object.
    args: str | None
    kwargs: str | None
    #: Why the printed form, or what the task received, is not filled in; "" where it is.
    reason: str


class RetryOut(msgspec.Struct, kw_only=True):
    """Whether a task can be sent once more."""

    uuid: str
    name: str | None
    #: It has ended, so it may be sent once more, be it with edited arguments.
    ended: bool
    #: It can be sent with the arguments that it received.
    possible: bool
    #: Where these are: in its message, which is still at the broker, or in its extended result; null where they are not
    #: known.
    source: Literal["message", "result"] | None
    #: Why it can't be sent as it was; "" where it can.
    reason: str
    #: The arguments that it received, printed: secrets masked, and cut.
    args: str | None
    kwargs: str | None
    #: "json", "pickle", …: how they will be sent.
    serializer: str | None
    #: Where it will be sent to, and what says so: its message, its task-sent event, its result, or the app's routes.
    queue: str | None
    queue_from: Literal["message", "event", "result", "routes"] | None
    #: Of its message; null where that is gone.
    priority: int | None
    #: Headers of the sender's own that will be sent again.
    headers: list[str]
    #: What should be known before it is sent, each a sentence.
    cautions: list[str]
    edit: RetryEdit


class RetryIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Without arguments: those that the task received. With both: these in their place."""

    args: list[Any] | None = None
    #: Celery's own form of other types is understood: `{"__type__": "datetime", "__value__": "2026-01-01T00:00:00"}`.
    kwargs: dict[str, Any] | None = None
    queue: Annotated[Name | None, Meta(description="Another queue than the one that it came from.")] = None


class RetriedOut(msgspec.Struct, kw_only=True):
    """A task that was sent once more."""

    #: Of its row in the audit.
    id: int
    #: Of the new task, whose parent is the old one.
    task_id: str
    retry_of: str
    #: Where the arguments are from.
    source: Literal["message", "result", "edited"]
    queue: str
    time: float
    cautions: list[str]
