"""A task's marks, and the stamps of its registers, in one compact msgpack value, and back again.

What a task row already says (register values, the hostnames of worker and client, the last error's texts) is
not repeated. `pack` and `unpack` are exact inverses for every life that `model.plain` and `model.fold` make.
"""

from typing import Any

import msgspec
from msgspec.structs import astuple

from umbel.model.fold import FIELDS, own_error
from umbel.model.plain import Life, Plain
from umbel.model.task import RANKS, Mark, Record, Task, TaskError

#: Registers in the order of their stamps; append only, for stored rows rely on it.
REGISTERS = (*FIELDS, "client")

_TYPES = {rank: type_ for type_, rank in RANKS.items()}
_ABSENT = 255
_ELSEWHERE = 254

#: How many values make a life; what follows them is room.
_RECORD_VALUES, _PLAIN_VALUES = 5, len(Plain.__struct_fields__)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def pack(task: Task, life: Life, room: int = 0) -> bytes:
    """The bytes that, with the columns of `task`, give `life` back; `room` of them mean nothing."""
    values = astuple(life) if isinstance(life, Plain) else _record_values(task, life)
    return _encode((*values, bytes(room)) if room else values)


def _record_values(task: Task, record: Record) -> tuple[Any, ...]:
    hosts: dict[str | None, int] = {task.client: 1, task.worker: 0}
    extra_hosts: list[str] = []
    marks: list[Any] = []
    at: dict[tuple[float, int], int] = {}
    for index, mark in enumerate(record.marks):
        host = hosts.get(mark.hostname)
        if host is None:
            host = hosts[mark.hostname] = 2 + len(extra_hosts)
            extra_hosts.append(mark.hostname)
        rank = mark.rank
        kind: int | tuple[int, str] = rank if _TYPES.get(rank) == mark.type else (rank, mark.type)
        marks.append(
            (mark.time, kind, host, mark.pid, mark.clock, mark.retries, mark.flags, mark.runtime or 0)
        )
        at[mark.time, rank] = index
    stamps = bytearray()
    loose: list[tuple[float, int]] = []
    fields = record.fields
    for name in REGISTERS:
        stamped = fields.get(name)
        if stamped is None:
            stamps.append(_ABSENT)
            continue
        known = at.get(stamped[:2])
        if known is None:
            known = _ELSEWHERE
            loose.append(stamped[:2])
        stamps.append(known)
    own = own_error(record)
    error = None if own is None else (own.time, own.rank)
    return marks, bytes(stamps), error, loose, extra_hosts


def unpack(task: Task, packed: bytes) -> Life:
    """The life of a stored row; a record's `errors` holds the row's own error only."""
    values = _decode(packed)
    if isinstance(values[0], list):
        return _unpack_record(task, values[:_RECORD_VALUES])
    return Plain(*values[:_PLAIN_VALUES])


def _unpack_record(task: Task, values: list[Any]) -> Record:
    rows, stamps, error, loose, extra_hosts = values
    hosts = (task.worker, task.client, *extra_hosts)
    marks: list[Mark] = []
    for time, kind, host, pid, clock, retries, flags, runtime in rows:
        rank, type_ = (kind, _TYPES[kind]) if isinstance(kind, int) else kind
        marks.append(Mark(time, rank, type_, hosts[host], pid, clock, retries, flags, float(runtime)))
    fields: dict[str, tuple[float, int, str | int | float]] = {}
    elsewhere = iter(loose)
    for name, index in zip(REGISTERS, stamps, strict=False):
        if index == _ABSENT:
            continue
        if index == _ELSEWHERE:
            time, rank = next(elsewhere)
        else:
            time, rank = marks[index].time, marks[index].rank
        fields[name] = (time, rank, getattr(task, name))
    errors: tuple[TaskError, ...] = ()
    if error is not None:
        errors = (TaskError(error[0], error[1], task.exception or "", task.traceback or ""),)
    return Record(task.uuid, tuple(marks), fields, errors, task.first_seen, task.origin)
