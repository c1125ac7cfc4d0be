"""The wire types of `/api/v1/revocation-jobs`, as `control_schema` has those of single commands."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from umbel.web.query import Moment

JobState = Literal["preview", "running", "done", "stopped", "failed", "interrupted"]
ItemOutcome = Literal[
    "waiting", "sent", "revoked", "started", "terminated", "ended", "failed", "not_sent",
]  # fmt: skip
Text = Annotated[str, Meta(min_length=1, max_length=10_000)]


class TaskFilter(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which tasks: the same filters as those of the list of tasks, combined with AND. One at least."""

    search: Annotated[str, Meta(description="Flower's search grammar.", max_length=10_000)] = ""
    state: Annotated[list[str], Meta(description="Exact, any case; several are combined with OR.")] = []
    name: Text | None = None
    worker: Text | None = None
    root_id: Text | None = None
    parent_id: Text | None = None
    received_from: Moment | None = None
    received_to: Moment | None = None


class RevocationPreview(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which tasks are to be revoked: either these ids, or those that match a filter."""

    ids: Annotated[list[Annotated[str, Meta(min_length=1, max_length=1000)]], Meta(max_length=20_000)] = []
    filter: TaskFilter | None = None


class RevocationStart(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The tasks of a preview are to be revoked now."""

    confirm: Annotated[
        int, Meta(description="`total` of the preview, so that it is no accident.", ge=0, le=20_000)
    ]
    #: Also end those that run.
    terminate: bool = False
    signal: Annotated[str, Meta(description="With `terminate`: the signal, SIGTERM or SIGKILL, say.")] = (
        "SIGTERM"
    )


class RevocationStop(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """No more tasks of a job are to be told."""


class StateCount(msgspec.Struct, kw_only=True):
    """Tasks in a state."""

    #: null: the history does not know them.
    state: str | None
    count: int


class OutcomeCount(msgspec.Struct, kw_only=True):
    """Tasks with an outcome."""

    #: "waiting" and "sent" are on the way to one of the others. "revoked": all workers confirmed before it started,
    #: none will start it. "started": it had started, and was let run. "terminated": it had started, and was ended.
    #: "ended": it ended without having been started. "failed": not all workers confirmed, or it is not known
    #: whether it had started: its detail says which. "not_sent": the job ended before.
    outcome: ItemOutcome
    count: int


class RevocationJobOut(msgspec.Struct, kw_only=True):
    """A bulk revocation, from its preview on."""

    id: int
    #: "done": every task was told. "stopped": by somebody, before that. "failed": the broker did not take the rest.
    #: "interrupted": the server ended before that. In each of them every task has one outcome.
    state: JobState
    #: It was told to stop, and finishes what it has sent.
    stopping: bool
    created: float
    started: float | None
    ended: float | None
    #: Who previewed it; null where nobody had to log in.
    who: str | None
    address: str
    #: What was asked for: the filter's fields, or `ids`, how many were given.
    asked: dict[str, str | int | list[str]]
    #: Tasks that are pinned: these are revoked, and no others.
    total: int
    #: Of these, by their state at the preview.
    states: list[StateCount]
    #: Tasks that match and are out, because they have ended.
    left_out: list[StateCount]
    terminate: bool
    #: "" without `terminate`.
    signal: str
    #: Their sum is `total`.
    outcomes: list[OutcomeCount]
    #: Workers that did not confirm.
    silent: list[str]
    #: Why it ended early, or what else is to be known; "" where there is nothing.
    detail: str
    #: Of its row in the audit; null until it is started.
    command: int | None


class RevocationJobList(msgspec.Struct, kw_only=True):
    """Started jobs, newest first."""

    items: list[RevocationJobOut]
    #: Give it back as `cursor` for the next page; null on the last one.
    next: str | None


class RevocationItemOut(msgspec.Struct, kw_only=True):
    """A task of a job."""

    uuid: str
    #: null where the history did not know it.
    name: str | None
    #: At the preview; null where the history did not know it.
    state: str | None
    outcome: ItemOutcome
    #: What else is known of the outcome.
    detail: str
    #: Now; null where the history does not know it.
    task_state: str | None


class RevocationItemList(msgspec.Struct, kw_only=True):
    """A page of a job's tasks."""

    items: list[RevocationItemOut]
    next: str | None
