"""A history in memory for tests of the ingest side: keeps what it is told, refuses when it is told to."""

import threading
from collections.abc import Collection, Sequence

import msgspec

from umbel.errors import StoreUnavailable
from umbel.model.plain import Life
from umbel.model.queue import QueueSample
from umbel.model.task import Task
from umbel.model.worker import Worker
from umbel.store.base import Changes, CounterKey, Gap, HistoryWriter
from umbel.store.packed import unpack_worker
from umbel.store.retention import Pruned
from umbel.store.status import CollectorStatus
from umbel.store.totals import sort_runtimes


class MemoryHistory(HistoryWriter):
    """Rows in dictionaries. `broken` makes every write fail as a full disk does."""

    def __init__(self) -> None:
        self.tasks: dict[str, tuple[Task, Life]] = {}
        self.workers: dict[str, Worker] = {}
        self.counters: dict[CounterKey, int] = {}
        self.runtimes: dict[tuple[str, str], list[float]] = {}
        self.gaps: dict[int, Gap] = {}
        self.status: CollectorStatus | None = None
        self.writes: list[Changes] = []
        self.broken = False
        self.fetched = 0
        self.queues: set[str] = set()
        self.samples: list[QueueSample] = []

    def open(self) -> None:
        self._check()

    def close(self) -> None:
        pass

    def _check(self) -> None:
        if self.broken:
            raise StoreUnavailable("no space left")

    def fetch_lives(self, uuids: Collection[str]) -> dict[str, tuple[Task, Life]]:
        self.fetched += len(uuids)
        return {uuid: self.tasks[uuid] for uuid in uuids if uuid in self.tasks}

    def fetch_workers(self) -> dict[str, Worker]:
        return dict(self.workers)

    def write(self, changes: Changes) -> int:
        self._check()
        for change in changes.tasks:
            known = self.tasks.get(change.after.uuid)
            assert change.before == (known[0] if known else None)
            self.tasks[change.after.uuid] = (change.after, change.life)
        self.workers.update({row.hostname: unpack_worker(row.data) for row in changes.workers})
        for name in changes.workers_removed:
            self.workers.pop(name, None)
        sums = changes.tally.totals()
        told = [(CounterKey(*key), count) for key, count in sums.counters.items()]
        for key, count in (*told, *changes.counters.items()):
            self.counters[key] = self.counters.get(key, 0) + count
            if not self.counters[key]:
                del self.counters[key]
        for pair, seen in sums.runtimes.items():
            runtimes = sort_runtimes(seen, (0.1, 1.0))
            totals = self.runtimes.setdefault(pair, [0.0] * (len(runtimes.buckets) + 1))
            for index, value in enumerate((*runtimes.buckets, runtimes.sum)):
                totals[index] += value
        self.writes.append(changes)
        return len(self.writes)

    def write_status(self, status: CollectorStatus) -> None:
        self._check()
        self.status = status

    def note_alive(self, now: float, proof_at: float | None) -> None:
        if self.status is not None:
            self.status = msgspec.structs.replace(self.status, time=now, proof_at=proof_at)

    def remember_queues(self, names: Collection[str]) -> None:
        self._check()
        self.queues.update(names)

    def write_queue_samples(self, samples: Sequence[QueueSample]) -> None:
        self._check()
        self.samples.extend(samples)

    def fetch_last_alive(self) -> float | None:
        return None if self.status is None else self.status.time - self.status.lag

    def open_gap(self, gap: Gap) -> int:
        self._check()
        number = len(self.gaps) + 1
        self.gaps[number] = Gap(
            id=number, start=gap.start, end=gap.end, cause=gap.cause, lossy=gap.lossy, detail=gap.detail
        )
        return number

    def close_gap(self, gap_id: int, end: float, *, lossy: bool | None = None) -> None:
        self._check()
        gap = self.gaps[gap_id]
        self.gaps[gap_id] = Gap(
            id=gap_id,
            start=gap.start,
            end=end,
            cause=gap.cause,
            lossy=gap.lossy if lossy is None else lossy,
            detail=gap.detail,
        )

    def fetch_open_gaps(self) -> list[Gap]:
        return [gap for gap in self.gaps.values() if gap.end is None]

    def fetch_open_tasks(self, worker: str, *, limit: int) -> list[Task]:
        found = [task for task, _ in self.tasks.values() if not task.finished and task.worker == worker]
        return sorted(found, key=lambda task: task.updated)[:limit]

    def fetch_stale_tasks(self, before: float, *, limit: int) -> list[Task]:
        found = [task for task, _ in self.tasks.values() if not task.finished and task.updated < before]
        return sorted(found, key=lambda task: task.updated)[:limit]

    def release(self) -> None:
        """All there is are the records."""

    def get_feed_head(self) -> int:
        return len(self.writes)

    def get_notices(self) -> list[str]:
        return []

    def prune(self, *, now: float, dry_run: bool = False) -> Pruned:
        return Pruned(0, 0)

    def prune_some(self, *, now: float, seconds: float) -> bool:
        return True


class SlowHistory(MemoryHistory):
    """Makes a transaction for each release of `turns` only."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = threading.Semaphore(0)

    def write(self, changes: Changes) -> int:
        assert self.turns.acquire(timeout=10)
        return super().write(changes)
