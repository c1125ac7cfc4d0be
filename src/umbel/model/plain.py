"""The plain life of a task: sent, received, started and ended, each at most once, in this order, in one worker run.

Nearly all tasks live so. Their marks tell little that the task itself does not, so they need no sets and no sorting:
`tell` makes such a task in a tenth of the time. Whatever is not plain is left to `model.fold`, and what is plain comes
out as the fold would make it (`tests/unit/test_plain.py`). Pure; called by `ingest.pipeline` and `store.packing`.
"""

from collections.abc import Iterable, Sequence
from copy import copy
from operator import attrgetter
from typing import Any

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


_described = attrgetter(*_DESCRIPTION)
_NOTHING = (None,) * len(_DESCRIPTION)

#: What is kept of a task beside what is shown of it.
Life = Record | Plain


class _Told:
    """The events of one task, each in its place."""

    __slots__ = ("ended", "last", "received", "sent", "started")

    def __init__(self) -> None:
        #: The one of the highest rank.
        self.last: Event
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
    last = told.ended or told.started or told.received or told.sent
    if last is None:
        return None
    told.last = last
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
    sent, received = told.sent, told.received
    if not _in_order(None, told):
        return None
    if received is None:
        values: Sequence[Any] = _NOTHING if sent is None else _described(sent)
        from_sent = sum([1 << n for n, value in enumerate(values) if value is not None])
    else:
        values = _described(received)
        from_sent = 0
        if sent is not None:
            values, from_sent = _merged(_described(sent), values)
    name, args, kwargs, root_id, parent_id, eta, expires, queue, exchange, routing_key = values
    task = Task(
        uuid=told.last.uuid or "", name=name, args=args, kwargs=kwargs, root_id=root_id, parent_id=parent_id,
        eta=eta, expires=expires, queue=queue, exchange=exchange, routing_key=routing_key,
    )  # fmt: skip
    plain = _execute(task, told, Plain(from_sent=from_sent))
    if sent is not None:
        task.sent, task.client = sent.timestamp, sent.hostname
    return None if plain is None else (task, plain)


def _go_on(told: _Told, before: Task, known: Plain) -> tuple[Task, Plain] | None:
    """A life of which something was known: only what comes later is plain."""
    received, last = told.received, told.last
    if told.sent is not None or before.finished or not _in_order(before, told):
        return None
    if before.worker is not None:
        if received is not None or (told.started is not None and before.started is not None):
            return None
        if before.worker != last.hostname or known.pid != last.pid:
            return None
    task = copy(before)
    if received is not None:
        values, from_sent = _merged(_described(before), _described(received))
        known = msgspec.structs.replace(known, from_sent=from_sent)
        for name, value in zip(_DESCRIPTION, values, strict=True):
            setattr(task, name, value)
        if task.name != before.name:
            return None
    plain = _execute(task, told, known)
    return None if plain is None else (task, plain)


def _merged(older: tuple[Any, ...], newer: tuple[Any, ...]) -> tuple[Sequence[Any], int]:
    """What task-sent and then task-received told, and which of it task-sent alone."""
    if None not in newer:
        return newer, 0
    values, from_sent = list(newer), 0
    for number, value in enumerate(newer):
        if value is None and older[number] is not None:
            values[number] = older[number]
            from_sent |= 1 << number
    return values, from_sent


def _in_order(before: Task | None, told: _Told) -> bool:
    """The times of the marks rise with their ranks, and all marks of the execution are of one run."""
    time = 0.0 if before is None else before.updated
    if told.sent is not None:
        time = told.sent.timestamp
    run: Event | None = None
    for event in (told.received, told.started, told.ended):
        if event is not None:
            if event.timestamp < time:
                return False
            time = event.timestamp
            if run is not None and (run.pid != event.pid or run.hostname != event.hostname):
                return False
            run = event
    return True


def _execute(task: Task, told: _Told, known: Plain) -> Plain | None:
    """Let the events set state, times and outcome of `task`, and add to what is known of their marks.

    None where the marks would not tell what the task tells.
    """
    sent, received, started, ended, last = told.sent, told.received, told.started, told.ended, told.last
    pid, client_pid, sent_clock, received_clock, started_clock, ended_clock, tries, retries, from_sent = (
        msgspec.structs.astuple(known)
    )
    seen, origin = task.first_seen, task.origin
    if sent is not None:
        client_pid, sent_clock, tries = sent.pid, sent.clock, -1 if sent.retries is None else sent.retries
        seen, origin = _earlier(seen, sent.received_at), origin | sent.origin
    if received is not None:
        received_clock = received.clock
        retries = -1 if received.retries is None else received.retries
        task.state, task.received = "RECEIVED", received.timestamp
        if bool(received.eta) != bool(task.eta):
            return None
        seen, origin = _earlier(seen, received.received_at), origin | received.origin
    if started is not None:
        started_clock = started.clock
        task.state, task.started = "STARTED", started.timestamp
        seen, origin = _earlier(seen, started.received_at), origin | started.origin
    if task.wait is None and task.received is not None and task.started is not None and not task.eta:
        task.wait = task.started - task.received
    if ended is not None:
        ended_clock = ended.clock
        _end(task, ended)
        seen, origin = _earlier(seen, ended.received_at), origin | ended.origin
    if last is not sent:
        task.worker, pid, task.attempts = last.hostname, last.pid, 1
    task.updated, task.clock, task.first_seen, task.origin = last.timestamp, last.clock, seen, origin
    most = max(tries, retries)
    task.retries = None if most < 0 else most
    return Plain(
        pid, client_pid, sent_clock, received_clock, started_clock, ended_clock, tries, retries, from_sent
    )


def _end(task: Task, ended: Event) -> None:
    task.finished = True
    if ended.type == "task-succeeded":
        task.state, task.succeeded, task.result = "SUCCESS", ended.timestamp, ended.result
        task.runtime = ended.runtime or None
    else:
        task.state, task.failed = "FAILURE", ended.timestamp
        task.exception, task.traceback = ended.exception, ended.traceback


def _earlier(seen: float, at: float) -> float:
    return at if at and (not seen or at < seen) else seen


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
