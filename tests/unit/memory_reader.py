"""A history in lists: what unit tests of the web side read from. Understands filters and order, not search."""

from collections import Counter
from collections.abc import Collection
from typing import Any

import msgspec

from umbel.model.queue import KnownQueue, QueueBucket
from umbel.model.rollup import Rollup, RollupKey
from umbel.model.task import Record, Standing, Task
from umbel.model.worker import Worker
from umbel.store.base import (
    Count,
    CounterKey,
    Facet,
    FeedPlace,
    FeedRow,
    Gap,
    HistoryReader,
    Page,
    Runtimes,
    TaskDetail,
    TaskQuery,
)
from umbel.store.packed import PackedCounts, PackedRuntimes
from umbel.store.retention import Extent
from umbel.store.status import CollectorStatus


class MemoryReader(HistoryReader):
    """Answers from its public attributes; tests fill them."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.records: dict[str, Record] = {}
        self.workers: list[Worker] = []
        self.counters: dict[CounterKey, int] = {}
        self.runtimes: dict[tuple[str, str], Runtimes] = {}
        self.prefetched: dict[tuple[str, str], int] = {}
        self.running: dict[tuple[str, str], tuple[int, float]] = {}
        self.rollups: list[tuple[RollupKey, Rollup]] = []
        self.gaps: list[Gap] = []
        self.queues: list[KnownQueue] = []
        self.feed: list[FeedRow] = []
        self.status: CollectorStatus | None = None

    def open(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def fetch_tasks(
        self, query: TaskQuery, *, limit: int, cursor: str | None = None, offset: int = 0
    ) -> Page:
        found = self._matching(query)
        start = int(cursor) if cursor is not None else offset
        end = start + limit
        return Page(found[start:end], str(end) if end < len(found) else None)

    def count_tasks(self, query: TaskQuery, *, limit: int = 100_000) -> Count:
        value = len(self._matching(query))
        return Count(min(value, limit), value <= limit)

    def fetch_task(self, uuid: str) -> TaskDetail | None:
        for task in self.tasks:
            if task.uuid == uuid:
                return TaskDetail(task, self.records[uuid], self.fetch_children([uuid]).get(uuid, []))
        return None

    def fetch_children(self, uuids: Collection[str]) -> dict[str, list[str]]:
        children: dict[str, list[str]] = {}
        for task in self.tasks:
            if task.parent_id in uuids and task.parent_id is not None:
                children.setdefault(task.parent_id, []).append(task.uuid)
        return children

    def fetch_workers(self, only: Collection[str] | None = None) -> list[Worker]:
        return [worker for worker in self.workers if only is None or worker.hostname in only]

    def fetch_counters(self) -> dict[CounterKey, int]:
        return dict(self.counters)

    def fetch_packed_counts(self, only: Collection[str] | None = None) -> dict[str, PackedCounts]:
        found: dict[str, list[tuple[str, str, int]]] = {}
        for key, n in sorted(self.counters.items(), key=lambda item: (item[0].task, item[0].type)):
            if only is None or key.worker in only:
                found.setdefault(key.worker, []).append((key.task, key.type, n))
        return {
            sender: PackedCounts(
                *(msgspec.json.encode(column).decode() for column in zip(*rows, strict=True))
            )
            for sender, rows in found.items()
        }

    def fetch_event_totals(self, only: Collection[str] | None = None) -> dict[str, dict[str, int]]:
        totals: dict[str, dict[str, int]] = {}
        for key, n in self.counters.items():
            if only is None or key.worker in only:
                counts = totals.setdefault(key.worker, {})
                counts[key.type] = counts.get(key.type, 0) + n
        return totals

    def fetch_runtimes(self, only: Collection[str] | None = None) -> dict[str, PackedRuntimes]:
        found: dict[str, dict[str, str]] = {}
        for (worker, task), seen in sorted(self.runtimes.items()):
            if only is None or worker in only:
                found.setdefault(worker, {})[task] = msgspec.msgpack.encode(seen).hex()
        return {
            worker: PackedRuntimes(msgspec.json.encode(list(seen)).decode(), ",".join(seen.values()))
            for worker, seen in found.items()
        }

    def fetch_state_totals(self) -> dict[str, int]:
        return dict(Counter(task.state for task in self.tasks))

    def fetch_running_totals(self) -> dict[str, int]:
        return dict(Counter(task.worker or "" for task in self.tasks if task.state == "STARTED"))

    def fetch_facets(self) -> list[Facet]:
        totals: dict[tuple[str, str, str], int] = {}
        for task in self.tasks:
            key = (task.state, task.name or "", task.worker or "")
            totals[key] = totals.get(key, 0) + 1
        return [Facet(*key, count) for key, count in totals.items()]

    def fetch_prefetched(self) -> dict[tuple[str, str], int]:
        return dict(self.prefetched)

    def fetch_running(self) -> dict[tuple[str, str], tuple[int, float]]:
        return dict(self.running)

    def fetch_waits(self) -> dict[tuple[str, str], Runtimes]:
        return {}

    def fetch_task_types(self) -> list[str]:
        return sorted({task.name for task in self.tasks if task.name})

    def fetch_queues(self) -> list[KnownQueue]:
        return sorted(self.queues, key=lambda queue: queue.name)

    def fetch_sent(self, uuids: Collection[str]) -> dict[str, float]:
        return {task.uuid: task.sent for task in self.tasks if task.uuid in uuids and task.sent is not None}

    def fetch_standings(self, uuids: Collection[str]) -> dict[str, Standing]:
        return {
            task.uuid: Standing(
                task.name,
                task.state,
                task.finished,
                task.worker,
                task.started,
                task.eta is not None,
                task.updated,
            )
            for task in self.tasks
            if task.uuid in uuids
        }

    def fetch_rollups(
        self, *, kind: str, label: str | None, span: int, start: float, end: float
    ) -> list[tuple[RollupKey, Rollup]]:
        return [
            (key, rollup)
            for key, rollup in self.rollups
            if key.kind == kind
            and label in (None, key.label)
            and key.span == span
            and start <= key.start < end
        ]

    def fetch_queue_rollups(
        self, *, queue: str | None, largest: int, span: int, start: float, end: float
    ) -> list[QueueBucket]:
        return []

    def fetch_gaps(self, *, limit: int = 100) -> list[Gap]:
        return self.gaps[:limit]

    def fetch_feed(self, after: int, *, limit: int = 1000) -> list[FeedRow]:
        return [row for row in self.feed if row.id > after][:limit]

    def fetch_feed_place(self) -> FeedPlace:
        return FeedPlace(self.feed[-1].id, self.feed[-1].time) if self.feed else FeedPlace()

    def fetch_changed_senders(self, after: FeedPlace) -> tuple[FeedPlace, frozenset[str] | None]:
        rows = self.fetch_feed(after.id)
        return self.fetch_feed_place(), frozenset(name for row in rows for name in row.workers)

    def fetch_feed_head(self) -> int:
        return self.feed[-1].id if self.feed else 0

    def fetch_status(self) -> CollectorStatus | None:
        return self.status

    def fetch_extent(self) -> Extent:
        return Extent(tasks=len(self.tasks), bytes=4096, since=None)

    def fetch_wal_size(self) -> int:
        return 0

    def fetch_search_backlog(self) -> int | None:
        return None

    def _matching(self, query: TaskQuery) -> list[Task]:
        assert query.search is None, "the real reader is for searches"
        found = [task for task in self.tasks if _matches(task, query)]
        found.sort(key=lambda task: _key(getattr(task, query.sort), task.uuid), reverse=query.descending)
        return found


def _matches(task: Task, query: TaskQuery) -> bool:
    exact = (
        (task.name, query.name),
        (task.worker, query.worker),
        (task.root_id, query.root_id),
        (task.parent_id, query.parent_id),
    )
    if any(wanted is not None and (value or "").casefold() != wanted.casefold() for value, wanted in exact):
        return False
    states = [state.casefold() for state in query.states]
    if states and task.state.casefold() not in states:
        return False
    if task.received is None:
        return True
    after = query.received_start is None or task.received >= query.received_start
    return after and (query.received_end is None or task.received <= query.received_end)


def _key(value: Any, uuid: str) -> tuple[Any, ...]:
    folded = value.casefold() if isinstance(value, str) else value
    return (value is not None, 0 if folded is None else folded, uuid)


def make_task(uuid: str, **fields: Any) -> Task:
    """A finished task with sensible fields, replaced by `fields`."""
    base = Task(
        uuid=uuid, name="shop.order", state="SUCCESS", args="(1,)", kwargs="{}", result="2", worker="w1@test",
        received=100.0, started=100.5, succeeded=101.0, runtime=0.5, updated=101.0, first_seen=100.0, clock=7,
        retries=0, finished=True,
    )  # fmt: skip
    return msgspec.structs.replace(base, **fields)
