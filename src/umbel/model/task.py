"""A task's life as a set of marks, and the task as shown. Built by `model.fold`, kept by `store`."""

import msgspec

#: Rank of each kind of mark: inside one attempt rank decides the state, not time.
SENT, RECEIVED, STARTED, CUSTOM, CANCELLED, RETRIED, REJECTED, REVOKED, FAILED, SUCCEEDED = range(0, 100, 10)

#: Event type without `task-` -> rank. Any other `task-*` type is CUSTOM.
RANKS = {
    "sent": SENT,
    "received": RECEIVED,
    "started": STARTED,
    "cancelled": CANCELLED,
    "retried": RETRIED,
    "rejected": REJECTED,
    "revoked": REVOKED,
    "failed": FAILED,
    "succeeded": SUCCEEDED,
}

#: Rank -> state, in Celery's words; a CUSTOM mark gives its own type in capitals.
STATES = {
    SENT: "PENDING",
    RECEIVED: "RECEIVED",
    STARTED: "STARTED",
    CANCELLED: "CANCELLED",
    RETRIED: "RETRY",
    REJECTED: "REJECTED",
    REVOKED: "REVOKED",
    FAILED: "FAILURE",
    SUCCEEDED: "SUCCESS",
}

#: Its worker run ended, or there was no evidence for 30 days: see `docs/explanation/task-lifecycle.md`.
UNKNOWN = "UNKNOWN"

#: States that end a task. REJECTED ends it only without requeue: `Task.finished` tells.
FINAL_STATES = frozenset({"SUCCESS", "FAILURE", "REVOKED", "REJECTED", UNKNOWN})

#: Flags of a mark.
REQUEUE = 1  # task-rejected with requeue: ends the attempt, not the task
HAS_ETA = 2  # task-received of a message with an ETA: its wait is deliberate
LOST = 4  # made by the reconciler, not by an event: the worker run ended without an end event


class Mark(msgspec.Struct, frozen=True, order=True, gc=False, array_like=True):
    """One thing that happened to a task. Equal marks are one mark; the field order is the total order."""

    #: The event's own timestamp, epoch seconds UTC.
    time: float
    rank: int
    #: Event type without `task-`.
    type: str
    hostname: str
    pid: int
    clock: int
    #: Retry count carried by received and sent events; -1 where the event carries none.
    retries: int = -1
    flags: int = 0
    #: Seconds, as reported by task-succeeded; 0 where unknown.
    runtime: float = 0.0


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """One execution of a task: the marks between its receipt and its end."""

    #: 1-based.
    number: int
    state: str
    worker: str
    pid: int
    received: float | None
    started: float | None
    ended: float | None
    runtime: float | None
    retries: int | None
    #: The message had an ETA, so waiting was deliberate.
    eta: bool
    #: Opened without a retry or requeue before it: the broker delivered the message again.
    redelivered: bool
    marks: tuple[Mark, ...]


class TaskError(msgspec.Struct, frozen=True, order=True, gc=False, array_like=True):
    """What one failed or retried attempt raised. `time` and `rank` are those of its mark."""

    time: float
    rank: int
    exception: str = ""
    traceback: str = ""


class Record(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    """All that is kept of one task. Joining two records is a set union: see `model.fold.join`."""

    uuid: str
    #: Sorted, distinct; at most the first 4 and the last 60.
    marks: tuple[Mark, ...]
    #: Field name -> (time, rank, value): the greatest wins.
    fields: dict[str, tuple[float, int, str | int | float]]
    #: Sorted, distinct, bounded like `marks`; `fold.own_error` is the one that the task shows.
    errors: tuple[TaskError, ...] = ()
    #: Earliest receipt by this monitor, epoch seconds UTC.
    first_seen: float = 0.0
    #: OR of the events' `origin` flags.
    origin: int = 0


class Task(msgspec.Struct, gc=False, array_like=True):
    """A task as every page, metric and API answer shows it. Times are float epoch seconds UTC.

    Encoded it is the bare list of its values: thousands of them a second go from one process to another.
    """

    uuid: str
    name: str | None = None
    args: str | None = None
    kwargs: str | None = None
    parent_id: str | None = None
    #: ISO 8601 text, as sent.
    eta: str | None = None
    #: ISO 8601 text, as sent.
    expires: str | None = None
    queue: str | None = None
    exchange: str | None = None
    routing_key: str | None = None
    client: str | None = None
    state: str = "PENDING"
    #: Hostname of the worker of the last attempt; None while only task-sent was seen.
    worker: str | None = None
    result: str | None = None
    exception: str | None = None
    traceback: str | None = None
    retries: int | None = None
    # the latest of each kind of mark
    sent: float | None = None
    received: float | None = None
    started: float | None = None
    succeeded: float | None = None
    failed: float | None = None
    retried: float | None = None
    revoked: float | None = None
    rejected: float | None = None
    #: Seconds, of the last success.
    runtime: float | None = None
    #: Seconds from receipt to start of the last attempt; None with a deliberate ETA or when unknown.
    wait: float | None = None
    clock: int = 0
    #: Earliest receipt by this monitor.
    first_seen: float = 0.0
    #: Time of the latest mark.
    updated: float = 0.0
    attempts: int = 0
    #: An attempt opened without a retry before it.
    redelivered: bool = False
    #: The task cannot change any more, so retention may take it.
    finished: bool = False
    #: OR of Event.origin flags: REPAIRED | REDACTED | TRUNCATED.
    origin: int = 0
    #: The last field: `store.rows` puts something else in its place.
    root_id: str | None = None


class Standing(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How a task stands, in few words."""

    name: str | None
    state: str
    finished: bool
    worker: str | None
    #: When its latest run began, epoch seconds UTC.
    started: float | None
    has_eta: bool
    #: Time of its latest event, epoch seconds UTC.
    updated: float
