"""Changes as bytes, for a writer in another process: rows as arrays in the order of their fields, texts once.

Pure; used by `ingest.chunk` and `store.writer_process`.
"""

from collections.abc import Collection, Iterable, Iterator

import msgspec

from umbel.model.redact import Redactor
from umbel.model.rollup import Tally
from umbel.store.base import Changes, CounterKey, TaskChange
from umbel.store.packed import PackedWorker


class _Changes(msgspec.Struct, array_like=True):
    """`Changes`, with pairs for mappings whose keys are no texts."""

    count: int
    #: Whether there may be secrets in it, and the transitions.
    parts: list[tuple[bool, memoryview]]
    workers: list[PackedWorker]
    workers_removed: list[str]
    tally: Tally
    counters: list[tuple[CounterKey, int]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Changes).decode
_decode_tasks = msgspec.msgpack.Decoder(list[TaskChange]).decode


class PackedTasks(Collection[TaskChange]):
    """Transitions as bytes, part by part: a walk makes them anew, and holds those of one part at a time.

    What a part is made of is in the processor's cache still when it is packed, and again when it is walked through;
    thousands of tasks held as objects are not, and waiting for memory costs more than making them twice.

    Where there is a redactor, parts may be raw: it masks them whenever they are walked through.
    """

    def __init__(
        self,
        parts: Iterable[tuple[bool, bytes | memoryview]] = (),
        count: int = 0,
        redactor: Redactor | None = None,
    ) -> None:
        self.parts = list(parts)
        self._redactor = redactor
        #: ids of tasks that were new when they were packed here.
        self.new: list[str] = []
        #: Bytes of all parts.
        self.size = sum([len(part) for _, part in self.parts])
        self._count = count

    def extend(self, changes: Collection[TaskChange], *, raw: bool = False) -> None:
        """Add one part."""
        if changes:
            part = _encode(changes)
            self.parts.append((raw and self._redactor is not None, part))
            self.size += len(part)
            self.new += [change.after.uuid for change in changes if change.before is None]
            self._count += len(changes)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[TaskChange]:
        """The changes in their order."""
        for raw, part in self.parts:
            changes = _decode_tasks(part)
            if raw:
                if self._redactor is None:
                    raise ValueError("there is nobody to mask the secrets of these tasks")
                self._redactor.redact_tasks([(change.after, change.before) for change in changes])
            yield from changes

    def __contains__(self, change: object) -> bool:
        return any(change == each for each in self)


def pack_tasks(tasks: Collection[TaskChange]) -> PackedTasks:
    """The same changes, packed."""
    if isinstance(tasks, PackedTasks):
        return tasks
    packed = PackedTasks()
    packed.extend(tasks)
    return packed


def encode_changes(changes: Changes) -> bytes:
    """The bytes of which `decode_changes` makes the same changes."""
    tasks = pack_tasks(changes.tasks)
    return _encode(
        (
            len(tasks),
            tasks.parts,
            changes.workers,
            changes.workers_removed,
            changes.tally,
            list(changes.counters.items()),
        )
    )


def decode_changes(data: bytes, redactor: Redactor | None = None) -> Changes:
    """What was encoded; its tasks are packed. `redactor` masks what is raw."""
    found = _decode(data)
    return Changes(
        tasks=PackedTasks(found.parts, found.count, redactor),
        workers=found.workers,
        workers_removed=found.workers_removed,
        tally=found.tally,
        counters=dict(found.counters),
    )
