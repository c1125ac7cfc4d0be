"""The wire types of the commands of `/api/v1` and of the audit: what is asked, and what came of it.

Like `web.schema`: float epoch seconds UTC, durations in seconds, unknown is null.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Action = Literal[
    "shutdown", "pool_restart", "pool_grow", "pool_shrink", "autoscale", "add_consumer", "cancel_consumer",
    "time_limit", "rate_limit", "revoke", "apply", "async_apply", "send_task", "abort", "retry", "purge",
    "preview_revocation", "revoke_many", "stop_revocation",
]  # fmt: skip
OutcomeState = Literal["requested", "confirmed", "partly", "refused", "silent", "failed", "unknown"]
Seconds = Annotated[
    float, Meta(gt=0, le=60, description="Seconds for answers; the option `inspect_timeout` unless given.")
]
Name = Annotated[str, Meta(min_length=1, max_length=1000)]


class Plain(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A command without parameters of its own."""

    timeout: Seconds | None = None


class Revocation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """No worker starts the task any more."""

    #: Also end it where it runs.
    terminate: bool = False
    #: With `terminate`: what the process that runs it gets.
    signal: Annotated[str, Meta(description="With `terminate`: the signal, SIGTERM or SIGKILL, say.")] = (
        "SIGTERM"
    )
    timeout: Seconds | None = None


class PoolChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """By how many processes."""

    n: Annotated[int, Meta(ge=1, le=1000)] = 1
    timeout: Seconds | None = None


class Autoscale(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Bounds of a pool that scales itself."""

    min: Annotated[int, Meta(ge=0, le=10_000)]
    max: Annotated[int, Meta(ge=1, le=10_000)]
    timeout: Seconds | None = None


class Consumer(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A queue."""

    queue: Name
    timeout: Seconds | None = None


class TimeLimits(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Limits of a task's run time; null lifts one."""

    task: Name
    soft: Annotated[float, Meta(gt=0)] | None = None
    hard: Annotated[float, Meta(gt=0)] | None = None
    timeout: Seconds | None = None


class RateLimit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How often a task is started."""

    task: Name
    rate: Annotated[
        str,
        Meta(
            pattern=r"^[0-9]+([.][0-9]+)?(/[smh])?$",
            description="`20`, `0.5/s`, `11/m`, `3/h`; `0` lifts it.",
        ),
    ]
    timeout: Seconds | None = None


class TaskCallIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A call of a task."""

    name: Name
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    #: Celery's own: queue, countdown, eta, expires, priority, task_id, headers, …
    options: Annotated[
        dict[str, Any],
        Meta(description="Celery's own: `queue`, `countdown`, `eta`, `expires`, `priority`, …"),
    ] = {}
    wait: Annotated[float, Meta(ge=0, le=3600, description="Seconds to wait for the result.")] = 0.0


class CalledOut(msgspec.Struct, kw_only=True):
    """A call that the broker has taken."""

    #: Of its row in the audit.
    id: int
    task_id: str
    #: At the result backend; null without one.
    state: str | None
    #: Its result, or the printed exception; null until it has ended.
    result: msgspec.Raw
    traceback: str | None


class WorkerSaid(msgspec.Struct, kw_only=True):
    """What one worker answered."""

    worker: str
    text: str


class CommandOut(msgspec.Struct, kw_only=True):
    """A command and what came of it. With 200 every worker that was asked has answered; with 202 not all have."""

    #: Of its row in the audit.
    id: int
    action: Action
    target: str
    #: "confirmed": all did it; "refused": none did, and all said so; "partly": some did; "silent": nobody did, and not
    #: all said why; "requested": sent, and not known yet.
    outcome: OutcomeState
    time: float
    confirmed: list[WorkerSaid]
    refused: list[WorkerSaid]
    #: Workers that gave no answer in time. They may still do it.
    silent: list[str]
    #: What a confirmation does not mean; "" where it means what it says.
    note: str


class AuditOut(msgspec.Struct, kw_only=True):
    """One command of the past."""

    id: int
    time: float
    #: When its outcome was known; null until then.
    ended: float | None
    #: null where nobody had to log in.
    who: str | None
    login: str
    address: str
    action: str
    target: str
    parameters: dict[str, Any]
    #: As of a command; "unknown": the server ended before the answers came.
    outcome: OutcomeState
    confirmed: list[WorkerSaid]
    refused: list[WorkerSaid]
    silent: list[str]
    #: Why it failed, or what else came of it.
    detail: str


class AuditList(msgspec.Struct, kw_only=True):
    """One page of commands."""

    items: list[AuditOut]
    #: Give it back as `cursor` for the next page; null on the last one.
    next: str | None


class RevocationOut(msgspec.Struct, kw_only=True):
    """Whether a task is revoked."""

    #: "none": nobody asked for it here, or it was not sent. "requested": asked for, and not all workers have said that
    #: they know it. "flagged": all workers know it, none will start the task. "revoked": a worker threw the task away
    #: or ended it. "ended": it ended otherwise.
    state: Literal["none", "requested", "flagged", "revoked", "ended"]
    #: The task's state; null for a task that nobody has seen.
    task_state: str | None
    #: The latest command; null where nobody asked for it here.
    command: AuditOut | None


class Ability(msgspec.Struct, kw_only=True):
    """Whether a worker can do something."""

    #: null: not known, because the worker has not told what it is.
    possible: bool | None
    #: Why not; "" where it can.
    reason: str


class WorkerControl(msgspec.Struct, kw_only=True):
    """What can be changed at a worker, as far as it has told."""

    hostname: str
    #: "prefork", "threads", "solo", "gevent", "eventlet"; null until known.
    pool: str | None
    #: Processes or threads; null until known.
    concurrency: int | None
    #: Bounds, where the worker scales itself.
    autoscale: dict[str, int] | None
    queues: list[str]
    #: Action ("pool_grow", "terminate", …) -> whether this worker can.
    abilities: dict[str, Ability]
    #: When it last told of itself.
    time: float | None
