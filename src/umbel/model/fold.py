"""The fold: events in any order, duplicated, split or lost, become one record and one task.

`join` is a set union (commutative, associative, idempotent); `project` is a pure function of the sorted marks and of
the attempts that they make. Nothing here does I/O, reads a clock or logs. Called by `ingest.pipeline` and `store`.
The rules are drawn in `docs/explanation/task-lifecycle.md`.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from umbel.model.attempts import attempts
from umbel.model.event import Event
from umbel.model.task import (
    CUSTOM,
    FAILED,
    FINAL_STATES,
    HAS_ETA,
    LOST,
    RANKS,
    RECEIVED,
    REJECTED,
    REQUEUE,
    RETRIED,
    REVOKED,
    SENT,
    STARTED,
    STATES,
    SUCCEEDED,
    Attempt,
    Mark,
    Record,
    Task,
    TaskError,
)

#: Beyond this many marks a record keeps the first `KEEP_FIRST` and the last `KEEP_LAST` in total order.
KEEP_FIRST = 4
KEEP_LAST = 60

#: Event fields kept as registers: the value of the greatest (time, rank, value) wins.
FIELDS = (
    "name", "args", "kwargs", "root_id", "parent_id", "eta", "expires",
    "queue", "exchange", "routing_key", "result",
)  # fmt: skip

#: Ranks whose events describe the task, with or without its name.
_DESCRIBING = frozenset({SENT, RECEIVED, CUSTOM})
_RESULT = ("result",)

#: Rank -> the field of `Task` that shows the latest mark of that rank.
_LATEST = {
    SENT: "sent", RECEIVED: "received", STARTED: "started", RETRIED: "retried", REJECTED: "rejected",
    REVOKED: "revoked", FAILED: "failed", SUCCEEDED: "succeeded",
}  # fmt: skip

_T = TypeVar("_T", Mark, TaskError)


def record_of(event: Event) -> Record:
    """The record that one task event alone makes. `event.uuid` must be set."""
    return fold(None, (event,))


def join(a: Record, b: Record) -> Record:
    """Everything that `a` and `b` know of the same task."""
    marks = _union(a.marks, b.marks)
    if a.fields == b.fields:
        fields = a.fields
    else:
        fields = dict(a.fields)
        for field, stamped in b.fields.items():
            known = fields.get(field)
            if known is None or stamped > known:
                fields[field] = stamped
    errors = _union(a.errors, b.errors) if b.errors else a.errors
    return Record(
        a.uuid, marks, fields, errors, _earliest(a.first_seen, b.first_seen), a.origin | b.origin
    )  # fmt: skip


def fold(prior: Record | None, events: Iterable[Event]) -> Record:
    """`prior` joined with the records of `events`, all of one task; at least one event without `prior`."""
    marks: list[Mark] = []
    errors: list[TaskError] = []
    fields = {} if prior is None else dict(prior.fields)
    first_seen = 0.0 if prior is None else prior.first_seen
    origin = 0 if prior is None else prior.origin
    uuid: str | None = None
    for event in events:
        uuid = event.uuid
        mark = _mark_of(event)
        marks.append(mark)
        _register(fields, event, mark.rank)
        if event.exception is not None or event.traceback is not None:
            errors.append(TaskError(mark.time, mark.rank, event.exception or "", event.traceback or ""))
        first_seen = _earliest(first_seen, event.received_at)
        origin |= event.origin
    if prior is not None:
        merged = _union(prior.errors, tuple(errors)) if errors else prior.errors
        return Record(prior.uuid, _union(prior.marks, tuple(marks)), fields, merged, first_seen, origin)
    if uuid is None:
        raise ValueError("nothing to fold")
    return Record(uuid, _union((), tuple(marks)), fields, _union((), tuple(errors)), first_seen, origin)


def _mark_of(event: Event) -> Mark:
    type_ = event.type[5:]
    rank = RANKS.get(type_, CUSTOM)
    retries = event.retries
    flags = 0
    if rank == REJECTED and event.requeue:
        flags = REQUEUE
    elif rank == RECEIVED and event.eta:
        flags = HAS_ETA
    return Mark(
        event.timestamp, rank, type_, event.hostname, event.pid, event.clock,
        -1 if retries is None else retries, flags, event.runtime or 0.0,
    )  # fmt: skip


def _register(fields: dict[str, tuple[float, int, str | int | float]], event: Event, rank: int) -> None:
    """Let the values that this event carries win the registers that they are greater in."""
    time = event.timestamp
    # without a name Celery's events of an execution carry a result at most
    names = _RESULT if event.name is None and rank not in _DESCRIBING else FIELDS
    for field in names:
        value = getattr(event, field)
        if value is not None:
            stamped = (time, rank, value)
            known = fields.get(field)
            if known is None or stamped > known:
                fields[field] = stamped
    if rank == SENT:
        stamped = (time, rank, event.hostname)
        known = fields.get("client")
        if known is None or stamped > known:
            fields["client"] = stamped


def _union(a: tuple[_T, ...], b: tuple[_T, ...]) -> tuple[_T, ...]:
    # the common case: one new mark, later than all others
    if len(b) == 1 and a and b[0] > a[-1] and len(a) < KEEP_FIRST + KEEP_LAST:
        return a + b
    merged = sorted(set(a).union(b))
    if len(merged) > KEEP_FIRST + KEEP_LAST:
        merged[KEEP_FIRST:-KEEP_LAST] = []
    return tuple(merged)


def _earliest(a: float, b: float) -> float:
    return min(a, b) if a and b else a or b


def project(record: Record, runs: Sequence[Attempt] | None = None) -> Task:
    """The task that a record tells of: every shown field is a function of its marks, registers and errors.

    `runs` are its attempts, if they are known already.
    """
    runs = attempts(record.marks) if runs is None else runs
    last = runs[-1] if runs else None
    error = own_error(record, runs)
    task = Task(
        uuid=record.uuid,
        state=STATES[SENT] if last is None else last.state,
        exception=(error.exception or None) if error else None,
        traceback=(error.traceback or None) if error else None,
        worker=None if last is None else last.worker,
        wait=None if last is None else _wait(last),
        first_seen=record.first_seen,
        updated=record.marks[-1].time,
        attempts=len(runs),
        redelivered=any(a.redelivered for a in runs),
        finished=last is not None and _is_final(last),
        origin=record.origin,
    )
    for mark in record.marks:
        task.clock = mark.clock
        shown = _LATEST.get(mark.rank)
        if shown is not None:
            setattr(task, shown, mark.time)
        if mark.rank == SUCCEEDED and mark.runtime:
            task.runtime = mark.runtime
    for field, stamped in record.fields.items():
        setattr(task, field, stamped[2])
    # counted by what the messages said, not by when: a client may tell of its message after it was retried
    retries = max(mark.retries for mark in record.marks)
    task.retries = None if retries < 0 else retries
    return task


def own_error(record: Record, runs: Sequence[Attempt] | None = None) -> TaskError | None:
    """The error that the task shows: that of its latest attempt that has one, which need not be told last, for a busy
    worker may say that its attempt ended after the next one has ended elsewhere."""
    errors = record.errors
    if len(errors) < 2:
        return errors[0] if errors else None
    told = {(error.time, error.rank): error for error in errors}
    for run in reversed(attempts(record.marks) if runs is None else runs):
        for mark in reversed(run.marks):
            if error := told.get((mark.time, mark.rank)):
                return error
    return errors[-1]


def _wait(attempt: Attempt) -> float | None:
    """Seconds from receipt to start; None where that is unknown or deliberate."""
    if attempt.received is None or attempt.started is None or attempt.eta:
        return None
    return max(0.0, attempt.started - attempt.received)


def _is_final(attempt: Attempt) -> bool:
    """Nothing more is to be expected of a task whose last attempt this is."""
    if attempt.state == STATES[REJECTED]:
        return not any(mark.flags & REQUEUE for mark in attempt.marks if mark.rank == REJECTED)
    return attempt.state in FINAL_STATES


def lost(record: Record, time: float) -> Record:
    """`record` with the mark that turns an open task of an ended worker run into UNKNOWN at `time`.

    Any real end outranks the mark, so an event that comes late still decides.
    """
    runs = attempts(record.marks)
    worker, pid = (runs[-1].worker, runs[-1].pid) if runs else ("", 0)
    mark = Mark(time, CUSTOM + 5, "lost", worker, pid, record.marks[-1].clock, flags=LOST)
    return join(record, Record(record.uuid, (mark,), {}))
