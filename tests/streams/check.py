"""Folds a recording and says how each exit path came out."""

from collections.abc import Sequence
from typing import Any

import msgspec

from tests.streams.expected import Expected
from umbel.model.attempts import attempts
from umbel.model.event import Event
from umbel.model.fold import fold, project


def outcome(events: Sequence[dict[str, Any]], uuid: str) -> Expected:
    """What the events of one task, in this order, amount to."""
    record = fold(None, [msgspec.convert(e, Event) for e in events if e.get("uuid") == uuid])
    task = project(record)
    runs = attempts(record.marks)
    told = {error.time for error in record.errors if error.exception and error.traceback}
    tracebacks = sum(any(mark.time in told for mark in run.marks) for run in runs)
    assert not task.redelivered
    return Expected(task.state, task.attempts, tuple(run.state for run in runs), tracebacks, task.finished)
