"""The plain life of a task: sent, received, started and ended, each at most once, in this order, in one worker run.

Nearly all tasks live so. Their marks tell little that the task itself does not, so they need no sets and no sorting:
`tell` makes such a task in a tenth of the time. Whatever is not plain is left to `model.fold`, and what is plain comes
out as the fold would make it (`tests/unit/test_plain.py`). Pure; called by `ingest.pipeline` and `store.packing`.
"""

from collections.abc import Iterable
from copy import copy

import msgspec

from umbel.model.event import Event
from umbel.model.fold import FIELDS
from umbel.model.task import (
    FAILED,
    HAS_ETA,
    RECEIVED,
    SENT,
    STARTED,
    SUCCEEDED,
    Mark,
    Record,
    Task,
    TaskError,
)

#: Registers that a message's own events fill; `result` is the end's.
_DESCRIPTION = FIELDS[:-1]
assert FIELDS[-1] == "result"


class Plain(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What the marks of a plain life tell beyond their task: with it, it makes the whole `Record`."""

    #: Of the worker run; 0 before there is one.
    pid: int = 0
    client_pid: int = 0
    #: Lamport clocks; 0 where there is no such mark.
    sent_clock: int = 0
    received_clock: int = 0
    started_clock: int = 0
    ended_clock: int = 0
    #: Retry counts that sent and received carried; -1 for none.
    sent_retries: int = -1
    received_retries: int = -1
    #: Bit n: the register FIELDS[n] was told by task-sent alone.
    from_sent: int = 0


#: What is kept of a task beside what is shown of it.
Life = Record | Plain


class _Told:
    """The events of one task, each in its place."""

    __slots__ = ("ended", "received", "sent", "started")

    def __init__(self) -> None:
        self.sent: Event | None = None
        self.received: Event | None = None
        self.started: Event | None = None
        self.ended: Event | None = None


def tell(
    events: Iterable[Event], before: Task | None = None, known: Plain | None = None
) -> tuple[Task, Plain] | None:
    """The task that these events of one task make of `before` and `known`; None when its life is not plain.

    `before` is never changed. Give both of `before` and `known`, or none.
    """
    told = _place(events)
    if told is None:
        return None
    if before is None or known is None:
        return _begin(told)
    return _go_on(told, before, known)


def _place(events: Iterable[Event]) -> _Told | None:
    told = _Told()
    for event in events:
        type_ = event.type
        if type_ == "task-received":
            if told.received is not None or not _describes(event):
                return None
            told.received = event
        elif type_ == "task-started":
            if told.started is not None or not _is_bare(event) or event.result is not None:
                return None
            told.started = event
        elif type_ == "task-sent":
            if told.sent is not None or not _describes(event):
                return None
            told.sent = event
        elif type_ == "task-succeeded":
            if told.ended is not None or event.name is not None or event.retries is not None:
                return None
            if event.exception is not None or event.traceback is not None:
                return None
            told.ended = event
        elif type_ == "task-failed":
            if told.ended is not None or event.name is not None or event.retries is not None:
                return None
            if event.result is not None or event.runtime or event.exception == "" or event.traceback == "":
                return None
            told.ended = event
        else:
            return None
    return told


def _describes(event: Event) -> bool:
    """It carries what task-sent and task-received carry, and nothing of an execution."""
    return event.result is None and event.exception is None and event.traceback is None and not event.runtime


def _is_bare(event: Event) -> bool:
    return (
        event.name is None
        and event.retries is None
        and event.exception is None
        and event.traceback is None
        and not event.runtime
    )


def _begin(told: _Told) -> tuple[Task, Plain] | None:
    """A life of which nothing was known."""
    sent, received, started, ended = told.sent, told.received, told.started, told.ended
    last = ended or started or received or sent
    if last is None or not _in_order(None, told):
        return None
    task = Task(uuid=last.uuid or "", updated=last.timestamp, clock=last.clock)
    from_sent = 0
    if sent is not None:
        task.sent, task.client = sent.timestamp, sent.hostname
        from_sent = _describe(task, sent, 0, True)
    if received is not None:
        from_sent = _describe(task, received, from_sent, False)
    if not _execute(task, told):
        return None
    run = ended or started or received
    plain = Plain(
        0 if run is None else run.pid,
        0 if sent is None else sent.pid,
        0 if sent is None else sent.clock,
        0 if received is None else received.clock,
        0 if started is None else started.clock,
        0 if ended is None else ended.clock,
        -1 if sent is None or sent.retries is None else sent.retries,
        -1 if received is None or received.retries is None else received.retries,
        from_sent,
    )
    return _finish(task, plain, told)


def _go_on(told: _Told, before: Task, known: Plain) -> tuple[Task, Plain] | None:
    """A life of which something was known: only what comes later is plain."""
    sent, received, started, ended = told.sent, told.received, told.started, told.ended
    last = ended or started or received
    if last is None or sent is not None or before.finished or not _in_order(before, told):
        return None
    if before.worker is not None:
        if received is not None or (started is not None and before.started is not None):
            return None
        if before.worker != last.hostname or known.pid != last.pid:
            return None
    task = copy(before)
    task.updated, task.clock = last.timestamp, last.clock
    from_sent = known.from_sent if received is None else _describe(task, received, known.from_sent, False)
    if task.name != before.name or not _execute(task, told):
        return None
    plain = Plain(
        last.pid,
        known.client_pid,
        known.sent_clock,
        known.received_clock if received is None else received.clock,
        known.started_clock if started is None else started.clock,
        known.ended_clock if ended is None else ended.clock,
        known.sent_retries,
        known.received_retries if received is None or received.retries is None else received.retries,
        from_sent,
    )
    return _finish(task, plain, told)


def _in_order(before: Task | None, told: _Told) -> bool:
    """The times of the marks rise with their ranks, and all marks of the execution are of one run."""
    last = 0.0 if before is None else before.updated
    run: Event | None = None
    if told.sent is not None:
        last = told.sent.timestamp
    for event in (told.received, told.started, told.ended):
        if event is None:
            continue
        if event.timestamp < last:
            return False
        last = event.timestamp
        if run is not None and (run.pid != event.pid or run.hostname != event.hostname):
            return False
        run = event
    return True


def _describe(task: Task, event: Event, from_sent: int, is_sent: bool) -> int:
    """Let an event of the message fill the registers; return which of them task-sent alone has filled."""
    for number, name in enumerate(_DESCRIPTION):
        value = getattr(event, name)
        if value is not None:
            setattr(task, name, value)
            if is_sent:
                from_sent |= 1 << number
            else:
                from_sent &= ~(1 << number)
    return from_sent


def _execute(task: Task, told: _Told) -> bool:
    """Let the events of the execution set state, times and outcome; False where the marks would not tell them."""
    received, started, ended = told.received, told.started, told.ended
    if received is not None:
        task.state, task.received, task.worker = "RECEIVED", received.timestamp, received.hostname
        task.attempts = 1
        if bool(received.eta) != bool(task.eta):
            return False
    if started is not None:
        task.state, task.started, task.worker = "STARTED", started.timestamp, started.hostname
        task.attempts = 1
    if task.wait is None and task.received is not None and task.started is not None and not task.eta:
        task.wait = max(0.0, task.started - task.received)
    if ended is not None:
        task.worker, task.attempts, task.finished = ended.hostname, 1, True
        if ended.type == "task-succeeded":
            task.state, task.succeeded, task.result = "SUCCESS", ended.timestamp, ended.result
            task.runtime = ended.runtime or None
        else:
            task.state, task.failed = "FAILURE", ended.timestamp
            task.exception, task.traceback = ended.exception, ended.traceback
    return True


def _finish(task: Task, plain: Plain, told: _Told) -> tuple[Task, Plain]:
    retries = max(plain.sent_retries, plain.received_retries)
    task.retries = None if retries < 0 else retries
    seen = task.first_seen
    for event in (told.sent, told.received, told.started, told.ended):
        if event is not None:
            at = event.received_at
            if at and (not seen or at < seen):
                seen = at
            task.origin |= event.origin
    task.first_seen = seen
    return task, plain


def record_of(task: Task, plain: Plain) -> Record:
    """The record of a plain life, as `model.fold` makes it."""
    marks: list[Mark] = []
    fields: dict[str, tuple[float, int, str | int | float]] = {}
    errors: tuple[TaskError, ...] = ()
    worker = task.worker or ""
    if task.sent is not None:
        client = task.client or ""
        marks.append(
            Mark(task.sent, SENT, "sent", client, plain.client_pid, plain.sent_clock, plain.sent_retries)
        )
        fields["client"] = (task.sent, SENT, client)
    if task.received is not None:
        flags = HAS_ETA if task.eta else 0
        retries = plain.received_retries
        marks.append(
            Mark(task.received, RECEIVED, "received", worker, plain.pid, plain.received_clock, retries, flags)
        )
    if task.started is not None:
        marks.append(Mark(task.started, STARTED, "started", worker, plain.pid, plain.started_clock))
    if task.succeeded is not None:
        runtime = task.runtime or 0.0
        marks.append(
            Mark(
                task.succeeded, SUCCEEDED, "succeeded", worker, plain.pid, plain.ended_clock, runtime=runtime
            )
        )
        if task.result is not None:
            fields["result"] = (task.succeeded, SUCCEEDED, task.result)
    if task.failed is not None:
        marks.append(Mark(task.failed, FAILED, "failed", worker, plain.pid, plain.ended_clock))
        if task.exception is not None or task.traceback is not None:
            errors = (TaskError(task.failed, FAILED, task.exception or "", task.traceback or ""),)
    for number, name in enumerate(_DESCRIPTION):
        value = getattr(task, name)
        if value is not None:
            by_sent = plain.from_sent >> number & 1
            time, rank = (task.sent, SENT) if by_sent else (task.received, RECEIVED)
            assert time is not None
            fields[name] = (time, rank, value)
    return Record(task.uuid, tuple(marks), fields, errors, task.first_seen, task.origin)


def as_record(task: Task, life: Life) -> Record:
    """The record of any life."""
    return record_of(task, life) if isinstance(life, Plain) else life
