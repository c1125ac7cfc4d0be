"""The plain life of a task: sent, received, started and ended, each at most once, in this order, in one worker run.

Nearly all tasks live so. Their marks tell little that the task itself does not, so they need no sets and no sorting:
`tell` makes such a task in a tenth of the time. Whatever is not plain is left to `model.fold`, and what is plain comes
out as the fold would make it (`tests/unit/test_plain.py`). Pure; called by `ingest.pipeline` and `store.packing`.
"""

from collections.abc import Iterable
from copy import copy
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
#: Where the last of them begin, which tell where the message was sent to.
_ROUTE = _DESCRIPTION.index("queue")
assert _DESCRIPTION[_ROUTE:] == ("queue", "exchange", "routing_key")


class Plain(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0):
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


_NOTHING: tuple[Any, ...] = (None,) * len(_DESCRIPTION)
_NO_ROUTE = _NOTHING[_ROUTE:]

#: What is kept of a task beside what is shown of it.
Life = Record | Plain


class _Told(msgspec.Struct, gc=False):
    """The events of one task, each in its place, and what all of them tell."""

    sent: Event | None
    received: Event | None
    started: Event | None
    ended: Event | None
    #: The one of the highest rank.
    last: Event
    #: Earliest receipt; 0.0 for none.
    seen: float
    origin: int


def tell(
    events: Iterable[Event], before: Task | None = None, known: Plain | None = None
) -> tuple[Task, Plain] | None:
    """The task that these events of one task make of `before` and `known`; None when its life is not plain.

    `before` is never changed. Give both of `before` and `known`, or none.
    """
    told = _place(events)
    if told is None or not _in_order(told, before):
        return None
    if before is None or known is None:
        return _begin(told)
    return _go_on(told, before, known)


def _place(events: Iterable[Event]) -> _Told | None:
    sent = received = started = ended = None
    seen, origin = 0.0, 0
    # a busy collector spends its time here: no calls, and what is frequent comes first
    for event in events:
        type_ = event.type
        if event.traceback is not None and type_ != "task-failed":
            return None
        if type_ == "task-received" or type_ == "task-sent":
            if event.result is not None or event.exception is not None or event.runtime:
                return None
            if type_ == "task-sent":
                if sent is not None:
                    return None
                sent = event
            else:
                if received is not None:
                    return None
                received = event
        elif event.name is not None or event.retries is not None:
            return None
        elif type_ == "task-started":
            if (
                started is not None
                or event.result is not None
                or event.exception is not None
                or event.runtime
            ):
                return None
            started = event
        elif ended is not None:
            return None
        elif type_ == "task-succeeded":
            if event.exception is not None:
                return None
            ended = event
        elif type_ == "task-failed":
            if event.result is not None or event.runtime or event.exception == "" or event.traceback == "":
                return None
            ended = event
        else:
            return None
        at = event.received_at
        if at and (at < seen or not seen):
            seen = at
        origin |= event.origin
    last = ended or started or received or sent
    return None if last is None else _Told(sent, received, started, ended, last, seen, origin)


def _in_order(told: _Told, before: Task | None) -> bool:
    """The times of the marks rise with their ranks, and all marks of the execution are of one run."""
    time = 0.0 if before is None else before.updated
    if told.sent is not None:
        time = told.sent.timestamp
    last = told.last
    hostname, pid = last.hostname, last.pid
    for event in (told.received, told.started, told.ended):
        if event is not None:
            if event.timestamp < time or event.pid != pid or event.hostname != hostname:
                return False
            time = event.timestamp
    return True


def _begin(told: _Told) -> tuple[Task, Plain] | None:
    """A life of which nothing was known. The task is made in one call, by position: in a fifth of the time."""
    sent, received, started, ended, last = told.sent, told.received, told.started, told.ended, told.last
    sent_at = received_at = started_at = client = None
    client_pid = sent_clock = received_clock = started_clock = ended_clock = from_sent = 0
    tries = retries = -1
    state, description = "PENDING", _NOTHING
    if sent is not None:
        description = _describe(sent)
        sent_at, client, client_pid, sent_clock = sent.timestamp, sent.hostname, sent.pid, sent.clock
        tries = -1 if sent.retries is None else sent.retries
    if received is not None:
        description, from_sent = _merged(description, _describe(received))
        state, received_at, received_clock = "RECEIVED", received.timestamp, received.clock
        retries = -1 if received.retries is None else received.retries
    else:
        from_sent = sum([1 << n for n, value in enumerate(description) if value is not None])
    if started is not None:
        state, started_at, started_clock = "STARTED", started.timestamp, started.clock
    name, args, kwargs, root_id, parent_id, eta, expires, queue, exchange, routing_key = description
    if received is not None and bool(received.eta) != bool(eta):
        return None
    wait = None if received_at is None or started_at is None or eta else started_at - received_at
    pid, worker, attempts = (0, None, 0) if last is sent else (last.pid, last.hostname, 1)
    most = tries if tries > retries else retries
    task = Task(
        last.uuid or "", name, args, kwargs, parent_id, eta, expires, queue, exchange, routing_key, client, state,
        worker, None, None, None, None if most < 0 else most, sent_at, received_at, started_at, None, None, None,
        None, None, None, wait, last.clock, told.seen, last.timestamp, attempts, False, False, told.origin, root_id,
    )  # fmt: skip
    if ended is not None:
        ended_clock = ended.clock
        _end(task, ended)
    return task, Plain(
        pid, client_pid, sent_clock, received_clock, started_clock, ended_clock, tries, retries, from_sent
    )


def _describe(told: Event | Task) -> tuple[Any, ...]:
    """The values of `_DESCRIPTION`."""
    return (
        told.name, told.args, told.kwargs, told.root_id, told.parent_id, told.eta, told.expires, told.queue,
        told.exchange, told.routing_key,
    )  # fmt: skip


def _go_on(told: _Told, before: Task, known: Plain) -> tuple[Task, Plain] | None:
    """A life of which something was known: only what comes later is plain."""
    received, last = told.received, told.last
    if told.sent is not None or before.finished:
        return None
    if before.worker is not None:
        if received is not None or (told.started is not None and before.started is not None):
            return None
        if before.worker != last.hostname or known.pid != last.pid:
            return None
    task = copy(before)
    if received is not None:
        values, from_sent = _merged(_describe(before), _describe(received))
        known = msgspec.structs.replace(known, from_sent=from_sent)
        for name, value in zip(_DESCRIPTION, values, strict=True):
            setattr(task, name, value)
        if task.name != before.name:
            return None
    plain = _execute(task, told, known)
    return None if plain is None else (task, plain)


def _merged(older: tuple[Any, ...], newer: tuple[Any, ...]) -> tuple[tuple[Any, ...], int]:
    """What task-sent and then task-received told, and which of it task-sent alone."""
    if older is _NOTHING or None not in newer:
        return newer, 0
    if newer[_ROUTE:] == _NO_ROUTE and older[:_ROUTE] == newer[:_ROUTE]:
        # the usual case: both tell the same, and only the client knows where it sent the message
        queue, exchange, routing_key = route = older[_ROUTE:]
        known = (queue is not None) + 2 * (exchange is not None) + 4 * (routing_key is not None)
        return newer[:_ROUTE] + route, known << _ROUTE
    values, from_sent = list(newer), 0
    for number in [number for number, value in enumerate(newer) if value is None]:
        value = older[number]
        if value is not None:
            values[number] = value
            from_sent |= 1 << number
    return tuple(values), from_sent


def _execute(task: Task, told: _Told, known: Plain) -> Plain | None:
    """Let the execution's events set state, times and outcome of `task`, and add to what is known of their marks.

    None where the marks would not tell what the task tells.
    """
    received, started, ended, last = told.received, told.started, told.ended, told.last
    received_clock, retries = known.received_clock, known.received_retries
    if received is not None:
        received_clock, retries = received.clock, -1 if received.retries is None else received.retries
        task.state, task.received = "RECEIVED", received.timestamp
        if bool(received.eta) != bool(task.eta):
            return None
    if started is not None:
        task.state, task.started = "STARTED", started.timestamp
    if task.wait is None and task.received is not None and task.started is not None and not task.eta:
        task.wait = task.started - task.received
    if ended is not None:
        _end(task, ended)
    task.worker, task.attempts = last.hostname, 1
    task.updated, task.clock = last.timestamp, last.clock
    if told.seen and (told.seen < task.first_seen or not task.first_seen):
        task.first_seen = told.seen
    task.origin |= told.origin
    most = max(known.sent_retries, retries)
    task.retries = None if most < 0 else most
    return Plain(
        last.pid,
        known.client_pid,
        known.sent_clock,
        received_clock,
        known.started_clock if started is None else started.clock,
        known.ended_clock if ended is None else ended.clock,
        known.sent_retries,
        retries,
        known.from_sent,
    )


def _end(task: Task, ended: Event) -> None:
    task.finished = True
    if ended.type == "task-succeeded":
        task.state, task.succeeded, task.result = "SUCCESS", ended.timestamp, ended.result
        task.runtime = ended.runtime or None
    else:
        task.state, task.failed = "FAILURE", ended.timestamp
        task.exception, task.traceback = ended.exception, ended.traceback


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
