"""Tells a history about tasks the way the pipeline does: events in, changes with every difference out."""

from collections.abc import Iterable, Mapping
from typing import Any

from umbel.model.event import Event
from umbel.model.fold import fold, project
from umbel.model.rollup import Rollup, RollupKey, Tally
from umbel.model.task import Record, Task
from umbel.store.base import Changes, HistoryWriter, TaskChange
from umbel.store.totals import longer_spans

EPOCH = 1_790_000_000.0
BUCKETS = (0.1, 1.0, 10.0)


class Teller:
    """Remembers what it told, so that tests can compare."""

    def __init__(self, writer: HistoryWriter) -> None:
        self.writer = writer
        self.records: dict[str, Record] = {}
        self.tally = Tally()

    @property
    def tasks(self) -> list[Task]:
        return [project(record) for record in self.records.values()]

    def tell(self, events: Iterable[Event]) -> int:
        """Write everything that `events` change as one chunk; return the feed id."""
        by_uuid: dict[str, list[Event]] = {}
        for event in events:
            by_uuid.setdefault(event.uuid or "", []).append(event)
        tally = Tally()
        changes = []
        for uuid, batch in by_uuid.items():
            before = self.records.get(uuid)
            after = fold(before, batch)
            tally.add_transition(before, after)
            self.tally.add_transition(before, after)
            self.records[uuid] = after
            changes.append(TaskChange(None if before is None else project(before), project(after), after))
        return self.writer.write(Changes(tasks=changes, tally=tally))


def with_longer_spans(minutes: Mapping[RollupKey, Rollup]) -> dict[RollupKey, Rollup]:
    """Buckets of minutes, and the hours and days that they make."""
    return {**minutes, **longer_spans(minutes)}


def succeeded(
    uuid: str, *, at: float = EPOCH, name: str = "shop.pay", worker: str = "celery@a", runtime: float = 0.5,
    **fields: Any,
) -> list[Event]:  # fmt: skip
    """The events of a task that went well, `at` being its receipt."""
    common: dict[str, Any] = {"uuid": uuid, "hostname": worker, "pid": 7, "received_at": at}
    return [
        Event(type="task-received", timestamp=at, name=name, retries=0, **common, **fields),
        Event(type="task-started", timestamp=at + 0.1, **common),
        Event(type="task-succeeded", timestamp=at + 0.1 + runtime, runtime=runtime, result="'ok'", **common),
    ]


def received(
    uuid: str, *, at: float = EPOCH, name: str = "shop.pay", worker: str = "celery@a", **fields: Any
) -> list[Event]:
    """The only event of a task that waits at a worker."""
    return succeeded(uuid, at=at, name=name, worker=worker, **fields)[:1]
