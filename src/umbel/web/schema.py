"""The wire types of `/api/v1`: msgspec structs, from which the OpenAPI document and the page's types are made.

Times are float epoch seconds UTC, durations are seconds. Unknown is null, never 0 or "".
"""

from typing import Literal

import msgspec

from umbel.control.doctor import Finding
from umbel.model.worker import WorkerStatus


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 9457 problem details: the one shape of every v1 error (`application/problem+json`)."""

    title: str
    status: int
    detail: str = ""
    type: str = "about:blank"
    #: Name of the parameter at fault.
    parameter: str | None = None


class WorkerOut(msgspec.Struct, kw_only=True):
    """A worker with its counters. Counters are totals since this worker name was first seen."""

    hostname: str
    status: WorkerStatus
    #: One sentence that says why this status was given.
    status_reason: str
    pid: int | None
    #: Tasks running now.
    active: int | None
    #: Tasks received here.
    processed: int
    started: int
    succeeded: int
    failed: int
    retried: int
    revoked: int
    loadavg: list[float] | None
    #: Seconds between heartbeats.
    freq: float | None
    last_heartbeat: float | None
    last_seen: float | None
    first_seen: float
    run_started: float | None
    runs: int
    software: str | None
    #: Seconds that the worker's clock is ahead of the monitor's; null until known.
    skew: float | None
    clock: int
    #: What it was seen by that the worker lives but takes no tasks; null where that is not so, or nobody samples.
    stalled: str | None


class WorkerTotals(msgspec.Struct, kw_only=True):
    """Sums over the listed workers."""

    workers: int
    online: int
    active: int
    processed: int
    started: int
    succeeded: int
    failed: int
    retried: int
    revoked: int


class WorkerList(msgspec.Struct, kw_only=True):
    """Listed workers with their sums."""

    items: list[WorkerOut]
    totals: WorkerTotals


class FindingList(msgspec.Struct, kw_only=True):
    """What is wrong with the cluster or with how it is watched, the worst first."""

    items: list[Finding]


class TaskOut(msgspec.Struct, kw_only=True):
    """A task as listed."""

    uuid: str
    name: str | None
    state: str
    finished: bool
    args: str | None
    kwargs: str | None
    result: str | None
    exception: str | None
    worker: str | None
    queue: str | None
    exchange: str | None
    routing_key: str | None
    eta: str | None
    expires: str | None
    retries: int | None
    root_id: str | None
    parent_id: str | None
    client: str | None
    sent: float | None
    received: float | None
    started: float | None
    succeeded: float | None
    failed: float | None
    retried: float | None
    revoked: float | None
    rejected: float | None
    runtime: float | None
    #: Seconds between receipt and start of the last attempt; null with an ETA.
    wait: float | None
    clock: int
    updated: float
    attempts: int
    redelivered: bool


class MarkOut(msgspec.Struct, kw_only=True):
    """One thing that happened, as one event told it."""

    time: float
    #: Event type without `task-`.
    type: str
    hostname: str
    pid: int
    clock: int


class AttemptOut(msgspec.Struct, kw_only=True):
    """One execution of a task."""

    number: int
    state: str
    worker: str
    pid: int
    received: float | None
    started: float | None
    ended: float | None
    runtime: float | None
    retries: int | None
    redelivered: bool
    exception: str | None
    traceback: str | None
    marks: list[MarkOut]


class TaskDetailOut(TaskOut, kw_only=True):
    """Everything kept of one task."""

    #: "events", or "result_backend" where no event of it is stored: then most of its life is not known.
    source: Literal["events", "result_backend"]
    #: One sentence about the source; "" for events.
    source_note: str
    #: null where nobody knows when something last happened.
    updated: float | None  # type: ignore[assignment]  # lists hold tasks with events only
    traceback: str | None
    #: null where no event was seen.
    first_seen: float | None
    #: "repaired", "redacted", "truncated": what was done to its texts before they were stored.
    notes: list[Literal["repaired", "redacted", "truncated"]]
    #: task-sent marks, which belong to no attempt.
    sent_marks: list[MarkOut]
    #: The task that this one repeats, and those that repeat it, as the audit tells, oldest first.
    retry_of: str | None
    retried_as: list[str]
    timeline: list[AttemptOut]
    children: list[str]


class Total(msgspec.Struct, kw_only=True):
    """How many tasks match."""

    value: int
    #: False: counting stopped here, there are at least this many.
    exact: bool


class TaskList(msgspec.Struct, kw_only=True):
    """One page of tasks."""

    items: list[TaskOut]
    #: Give it back as `cursor` for the next page; null on the last one.
    next: str | None
    total: Total


class FacetCount(msgspec.Struct, kw_only=True):
    """How many stored tasks have this value now."""

    value: str
    count: int


class Facets(msgspec.Struct, kw_only=True):
    """Stored tasks by their present state, name and worker; each count equals its filtered list."""

    total: int
    states: list[FacetCount]
    names: list[FacetCount]
    workers: list[FacetCount]


class GapOut(msgspec.Struct, kw_only=True):
    """An interval in which events may have been missed."""

    id: int
    start: float
    #: null while it lasts.
    end: float | None
    cause: str
    lossy: bool
    detail: str


class GapList(msgspec.Struct, kw_only=True):
    """Gaps, newest first."""

    items: list[GapOut]


class Notice(msgspec.Struct, kw_only=True):
    """Something the operator should know, with its remedy."""

    level: Literal["info", "warning", "error"]
    text: str


class Status(msgspec.Struct, kw_only=True):
    """Whether what the page shows is true and current."""

    #: Proof of life came from the broker less than 15 s ago and the store takes writes.
    ready: bool
    state: Literal["connecting", "connected", "blind", "stopped", "absent"]
    #: Broker URL without password.
    broker: str
    error: str
    last_event: float | None
    last_proof: float | None
    #: Seconds between receipt and commit of the newest events.
    lag: float
    events: int
    dropped: dict[str, int]
    malformed: dict[str, int]
    reconnects: int
    open_gap: bool
    #: Time at the server.
    now: float
    #: null while the history can't be read.
    stored_tasks: int | None
    #: null while the history can't be read.
    stored_bytes: int | None
    #: Finished tasks that last changed before it may be gone, taken by retention; null while none is.
    stored_since: float | None
    notices: list[Notice]


class Settings(msgspec.Struct, kw_only=True):
    """What the page needs to know of the server's settings."""

    version: str
    url_prefix: str
    #: Celery's `timezone`, an IANA name.
    timezone: str
    natural_time: bool
    auto_refresh: bool
    tasks_columns: list[str]
    read_only: bool
    #: Whether commands are let in: "open", "read_only" (nobody's are), or "closed": nobody has to log in, and
    #: FLOWER_UNAUTHENTICATED_API is not set.
    commands: Literal["open", "read_only", "closed"]
    #: There is a result backend, at which a task can be marked as to be aborted.
    can_abort: bool
    #: Name of the person logged in; null without authentication.
    identity: str | None
    broker: str


class RollupOut(msgspec.Struct, kw_only=True):
    """One time bucket. Percentiles are within 1 %; null where nothing was observed."""

    start: int
    label: str
    sent: int
    received: int
    started: int
    succeeded: int
    failed: int
    retried: int
    revoked: int
    rejected: int
    runtime_count: int
    runtime_sum: float
    runtime_p50: float | None
    runtime_p95: float | None
    runtime_p99: float | None
    wait_p50: float | None
    wait_p95: float | None


class RollupList(msgspec.Struct, kw_only=True):
    """Time buckets, oldest first."""

    #: Bucket width in seconds.
    span: int
    items: list[RollupOut]


class Snapshot(msgspec.Struct, kw_only=True, tag="snapshot", tag_field="event"):
    """First message of the stream (SSE event `snapshot`)."""

    feed: int
    status: Status
    workers: WorkerList
    facets: list[FacetCount]


class Delta(msgspec.Struct, kw_only=True, tag="delta", tag_field="event"):
    """What changed since the last message (SSE event `delta`), at most four a second."""

    feed: int
    #: uuids of changed tasks; null: many did, ask again.
    tasks: list[str] | None
    #: Changed workers, whole rows.
    workers: list[WorkerOut]
    workers_removed: list[str]
    #: null where no worker changed.
    totals: WorkerTotals | None
    #: Tasks by state; null where no task changed.
    facets: list[FacetCount] | None
    #: null where it did not change.
    status: Status | None
