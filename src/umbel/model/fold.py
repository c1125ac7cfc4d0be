"""The fold: events in any order, duplicated, split or lost, become one record and one task.

`join` is a set union (commutative, associative, idempotent); `attempts` and `project` are pure functions of
the sorted marks. Nothing here does I/O, reads a clock or logs. Called by `ingest.pipeline` and `store`.
The rules are drawn in `docs/explanation/task-lifecycle.md`.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from umbel.model.event import Event
from umbel.model.task import (
    CANCELLED,
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
    UNKNOWN,
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


class _Open:
    """An attempt while its marks are being dealt out."""

    __slots__ = ("end", "marks", "received", "retries", "run", "started")

    def __init__(self, run: tuple[str, int]) -> None:
        self.run = run
        self.marks: list[Mark] = []
        self.received = False
        self.started = False
        self.retries = -1
        self.end: Mark | None = None

    def has(self, rank: int) -> bool:
        """It was received, or started, already."""
        return (rank == RECEIVED and self.received) or (rank == STARTED and self.started)

    def take(self, mark: Mark) -> None:
        self.marks.append(mark)
        self.retries = max(self.retries, mark.retries)
        if mark.rank == RECEIVED:
            self.received = True
        elif mark.rank == STARTED:
            self.started = True
        elif mark.rank > CUSTOM and (
            self.end is None or (mark.rank, mark.time) >= (self.end.rank, self.end.time)
        ):
            self.end = mark


def attempts(marks: Iterable[Mark]) -> list[Attempt]:
    """The attempts that sorted marks tell of, in the order in which they opened; `sent` belongs to none.

    `received` and `started` open an attempt unless one of the same worker run is open and lacks them. A retry
    ends the earliest open attempt of its run that was started, for the new message can be received before the
    old attempt says that it ended. Everything else is the newest message's: an older attempt that is still open
    has only lost the event that said that it was retried.
    """
    opened: list[_Open] = []
    for mark in marks:
        if mark.rank == SENT:
            continue
        attempt = _find(opened, mark)
        if attempt is None:
            attempt = _Open((mark.hostname, mark.pid))
            opened.append(attempt)
        attempt.take(mark)
    finished: list[Attempt] = []
    previous: Mark | None = None
    for number, attempt in enumerate(opened, 1):
        known = number > 1
        redelivered = known and not (previous is not None and _continues(previous))
        finished.append(_attempt(number, attempt, redelivered=redelivered))
        previous = attempt.end
    return finished


def _find(opened: list[_Open], mark: Mark) -> _Open | None:
    """The attempt that `mark` belongs to; None when it opens one."""
    if not opened:
        return None
    run = (mark.hostname, mark.pid)
    only = opened[0]
    # most tasks have one attempt, whose marks need no choice
    if len(opened) == 1 and only.end is None and only.run == run and not only.has(mark.rank):
        return only
    mine = [attempt for attempt in opened if attempt.run == run]
    alive = [attempt for attempt in mine if attempt.end is None]
    if mark.rank == RECEIVED:
        return next((a for a in alive if not a.received), None)
    if mark.rank == STARTED:
        # the first that waits for it: a worker may say so only after it received the next message
        return next((a for a in alive if not a.started), None)
    if not _continues(mark):
        alive = _of_newest_message(opened, alive)
    if not alive or mark.flags & LOST:
        latest = (mine or opened)[-1]
        return None if _begins_next(latest, mark) else latest
    return next((a for a in alive if a.started), alive[0])


def _of_newest_message(opened: list[_Open], alive: list[_Open]) -> list[_Open]:
    """The open attempts that may still go on: those with fewer retries were retried, and the event of it lost.

    Attempts with the same retry count are one message, delivered twice.
    """
    most = max(attempt.retries for attempt in opened)
    alive = [attempt for attempt in alive if not 0 <= attempt.retries < most]
    if alive and alive[-1].retries < 0:
        return alive[-1:]
    return [attempt for attempt in alive if attempt.retries == alive[-1].retries]


def _begins_next(latest: _Open, mark: Mark) -> bool:
    """The mark is all that is known of another attempt: the events that should have opened it were lost."""
    return mark.rank > CANCELLED and latest.end is not None and _continues(latest.end)


def _continues(end: Mark) -> bool:
    """Another attempt was to be expected after this end."""
    return end.rank == RETRIED or (end.rank == REJECTED and bool(end.flags & REQUEUE))


def _attempt(number: int, opened: _Open, *, redelivered: bool) -> Attempt:
    received = started = None
    retries = -1
    eta = False
    for mark in opened.marks:
        if mark.rank == RECEIVED:
            received = mark.time
            eta = bool(mark.flags & HAS_ETA)
        elif mark.rank == STARTED:
            started = mark.time
        retries = max(retries, mark.retries)
    end = opened.end
    runtime = end.runtime or None if end is not None else None
    if end is not None and runtime is None and started is not None and end.rank in (FAILED, RETRIED):
        runtime = max(0.0, end.time - started)
    return Attempt(
        number=number,
        state=_state(opened),
        worker=opened.run[0],
        pid=opened.run[1],
        received=received,
        started=started,
        ended=None if end is None else end.time,
        runtime=runtime,
        retries=None if retries < 0 else retries,
        eta=eta,
        redelivered=redelivered,
        marks=tuple(opened.marks),
    )


def _state(opened: _Open) -> str:
    """The state that the marks of one attempt end in: rank decides, then time."""
    mark = opened.end or max(opened.marks, key=lambda m: (m.rank, m.time))
    if mark.flags & LOST:
        return UNKNOWN
    return STATES.get(mark.rank) or mark.type.upper()


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
