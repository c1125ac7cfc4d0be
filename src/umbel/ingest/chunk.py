"""One transaction on its way: filled with transitions as bytes, and able to say what it was made of.

Objects are let go as soon as they are packed; should the history break over the chunk, its messages are decoded again.
Owned by `ingest.pipeline`.
"""

from collections.abc import Iterator, Mapping, Sequence, Set

import msgspec

from umbel.ingest.source import Message
from umbel.ingest.transitions import Transitions
from umbel.model.event import Event
from umbel.model.plain import Life
from umbel.model.redact import Redactor
from umbel.model.rollup import Tally
from umbel.model.task import Task
from umbel.store.base import Changes, CounterKey
from umbel.store.packed import PackedWorker
from umbel.store.wire import PackedTasks


class Watermark(msgspec.Struct, frozen=True):
    """Once the chunk that has it is stored, all messages are that were taken before, and after the one before it."""

    #: Receipt of the oldest and of the newest of them, epoch seconds UTC; 0.0 where there are none.
    oldest: float
    newest: float
    #: Of the last of them that its broker keeps until then.
    tag: int | None


class Chunk(msgspec.Struct):
    """What one transaction writes, and what it was made of."""

    changes: Changes
    #: Every message that was decoded for it.
    messages: Sequence[Message]
    #: uuid -> events of earlier messages that waited when it was begun.
    carried: Mapping[str, list[Event]]
    #: uuid -> the task as the changes leave it, of those that they leave open.
    open: Mapping[str, tuple[Task, Life]]
    #: Whom the changes leave finished.
    ended: Set[str]
    #: All of both.
    uuids: Sequence[str]
    #: Bytes of the rows.
    size: int
    #: How long the transaction took, seconds; 0.0 before it was made.
    seconds: float = 0.0
    #: None where something that was taken before is in a later chunk.
    watermark: Watermark | None = None


class Draft:
    """A chunk that is being filled, a few tasks at a time."""

    def __init__(self, redactor: Redactor | None, carried: Mapping[str, list[Event]] = {}) -> None:
        """`redactor` masks what is raw when it is written; `carried` are events that have waited."""
        self.messages: list[Message] = []
        self.tally = Tally()
        self._carried = {uuid: list(events) for uuid, events in carried.items()}
        self._tasks = PackedTasks(redactor=redactor)
        #: As `Chunk.open`.
        self.open: dict[str, tuple[Task, Life]] = {}
        #: As `Chunk.ended`.
        self.ended: set[str] = set()

    def __len__(self) -> int:
        """Rows."""
        return len(self._tasks)

    @property
    def size(self) -> int:
        """Bytes of the rows."""
        return self._tasks.size

    def __iter__(self) -> Iterator[str]:
        """Whose rows."""
        yield from self.open
        yield from self.ended

    def add(self, transitions: Transitions) -> None:
        """Take these, of tasks that it has none of; they are in the tally."""
        self._tasks.extend(transitions.raw, raw=True)
        self._tasks.extend(transitions.clean)
        for change in transitions:
            task = change.after
            if task.finished:
                self.ended.add(task.uuid)
            else:
                self.open[task.uuid] = (task, change.life)

    def close(
        self,
        workers: Sequence[PackedWorker] = (),
        removed: Sequence[str] = (),
        counters: Mapping[CounterKey, int] = {},
    ) -> Chunk:
        """The chunk, with what else is to be written."""
        changes = Changes(
            tasks=self._tasks, workers=workers, workers_removed=removed, tally=self.tally, counters=counters
        )
        uuids = (*self.open, *self.ended)
        return Chunk(changes, self.messages, self._carried, self.open, self.ended, uuids, self.size)
