"""Changes as bytes, for a writer in another process: rows as arrays in the order of their fields, texts once.

Pure; used by `store.writer_process`.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import astuple

from umbel.model.plain import Plain
from umbel.model.rollup import Rollup, RollupKey
from umbel.model.task import Record, Task
from umbel.model.worker import Worker
from umbel.store.base import Changes, CounterKey, Runtimes, TaskChange


class _Row(Task, array_like=True, gc=False):
    """A task that is written as the bare list of its values."""


class _Step(msgspec.Struct, array_like=True, gc=False):
    """A `TaskChange`; its life is one of the last two."""

    before: _Row | None
    after: _Row
    plain: Plain | None
    record: Record | None


class _Changes(msgspec.Struct, array_like=True):
    """`Changes`, with pairs for mappings whose keys are no texts."""

    tasks: list[_Step]
    workers: list[Worker]
    workers_removed: list[str]
    counters: list[tuple[CounterKey, int]]
    runtimes: list[tuple[tuple[str, str], Runtimes]]
    rollups: list[tuple[RollupKey, Rollup]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Changes).decode


def encode_changes(changes: Changes) -> bytes:
    """The bytes of which `decode_changes` makes the same changes."""
    return _encode(
        (
            list(_steps(changes.tasks)),
            changes.workers,
            changes.workers_removed,
            list(changes.counters.items()),
            list(changes.runtimes.items()),
            list(changes.rollups.items()),
        )
    )


def _steps(tasks: Iterable[TaskChange]) -> Iterable[tuple[Any, ...]]:
    for change in tasks:
        before, life = change.before, change.life
        row = None if before is None else astuple(before)
        if isinstance(life, Plain):
            yield row, astuple(change.after), life, None
        else:
            yield row, astuple(change.after), None, life


def decode_changes(data: bytes) -> Changes:
    """What was encoded. Its tasks are of a class of their own, and equal to the ones before in every field."""
    found = _decode(data)
    return Changes(
        tasks=[
            TaskChange(step.before, step.after, step.plain if step.record is None else step.record)  # type: ignore[arg-type]
            for step in found.tasks
        ],
        workers=found.workers,
        workers_removed=found.workers_removed,
        counters=dict(found.counters),
        runtimes=dict(found.runtimes),
        rollups=dict(found.rollups),
    )
