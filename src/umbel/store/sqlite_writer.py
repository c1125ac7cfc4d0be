"""The writer of an SQLite history: the contract, told in SQL.

`sqlite_owned` holds the file and its transactions, `sqlite_write` says what a chunk of changes executes and
`sqlite_prune` what retention does. Used by the collector process, and by `umbel prune`.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from umbel.model.plain import Life
from umbel.model.queue import QueueSample
from umbel.model.task import Task
from umbel.model.worker import Worker
from umbel.store import sqlite_prune
from umbel.store.base import Changes, Gap, HistoryWriter, TaskChange
from umbel.store.packed import unpack_worker
from umbel.store.retention import Limits, Pruned, tell_crowded
from umbel.store.rows import TASK_FIELDS, task_of
from umbel.store.schema import PRUNED
from umbel.store.sqlite_file import Alive, as_last_held, translated
from umbel.store.sqlite_lives import read_lives
from umbel.store.sqlite_owned import OwnedFile
from umbel.store.sqlite_queue_rollups import write_samples
from umbel.store.sqlite_write import ChunkWriter, StaleChange
from umbel.store.status import CollectorStatus
from umbel.store.trusted_clock import TrustedClock

logger = logging.getLogger(__name__)

#: Seconds between two lines about how far `prune` has come.
TELL_EVERY = 5.0
_FIELDS = ", ".join(TASK_FIELDS)
#: Named, for SQLite would rather walk through all that a worker has ever done.
_OPEN_TASKS = f"SELECT {_FIELDS} FROM tasks INDEXED BY tasks_open WHERE finished = 0"
_PUT_META = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


class SQLiteWriter(HistoryWriter):
    """`HistoryWriter` on one file. Methods may be called from any thread; one runs at a time.

    Args:
        limits: What `prune` keeps.
        buckets: Upper bounds, in seconds, of Flower's run-time histogram.
        max_bytes: A hard bound of the file's size; beyond it `write` raises StoreUnavailable. None: the disk's.
        clock: Epoch seconds UTC.
    """

    def __init__(
        self,
        path: Path,
        *,
        limits: Limits,
        buckets: tuple[float, ...],
        max_bytes: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._chunks = ChunkWriter(buckets)
        self._feed = 0
        #: What is left of a run of retention.
        self._pruning: Iterator[int] | None = None
        #: What retention goes by while nobody asks for it: a wrong clock must delete nothing. `open` makes it anew.
        self._trusted = TrustedClock(clock(), time.monotonic())
        #: What people should know of the limits.
        self._crowded: list[str] = []
        #: What was written last.
        self._status: CollectorStatus | None = None
        self._file = OwnedFile(path, max_bytes=max_bytes, clock=clock, on_reset=self._chunks.forget)

    def open(self) -> None:
        self._file.open()
        self._chunks.trust()
        rows = self._file.select("SELECT value FROM meta WHERE key = ?", (PRUNED,))
        self._trusted = TrustedClock(float(rows[0][0]) if rows else self._clock(), time.monotonic())

    def close(self) -> None:
        self._file.close()

    def release(self) -> None:
        self._file.release()

    def get_feed_head(self) -> int:
        return self._feed

    def get_notices(self) -> list[str]:
        with self._file.mutex:
            return [*self._file.notices, *self._crowded]

    @property
    def identity(self) -> tuple[int, int] | None:
        """Which file is written, as `sqlite_file.identity` tells it."""
        return self._file.identity

    def fetch_lives(self, uuids: Collection[str]) -> dict[str, tuple[Task, Life]]:
        return read_lives(self._chunks.finder, self._file.glance, uuids)

    def fetch_workers(self) -> dict[str, Worker]:
        rows = self._file.select("SELECT hostname, data FROM workers ORDER BY first_seen, hostname")
        return {hostname: unpack_worker(data) for hostname, data in rows}

    def write(self, changes: Changes) -> int:
        with self._file.mutex:
            try:
                return self._write(changes)
            except StaleChange:
                # a row went or came without the caller's knowledge (retention, a replaced file)
                return self._write(self._refreshed(changes))

    def _write(self, changes: Changes) -> int:
        self._feed = self._file.transact(
            lambda cursor: self._chunks.apply(cursor, changes, now=self._clock())
        )
        return self._feed

    def _refreshed(self, changes: Changes) -> Changes:
        """`changes` with every `before` as it is stored."""
        stored = self.fetch_lives([change.after.uuid for change in changes.tasks])
        tasks = []
        for change in changes.tasks:
            before = stored.get(change.after.uuid)
            tasks.append(TaskChange(None if before is None else before[0], change.after, change.life))
        return msgspec.structs.replace(changes, tasks=tasks)

    def write_status(self, status: CollectorStatus) -> None:
        text = msgspec.json.encode(status).decode()
        self._file.transact(lambda cursor: cursor.execute(_PUT_META, ("status", text)))
        self._status = status

    def note_alive(self, now: float, proof_at: float | None) -> None:
        status = self._status
        if status is None:
            return
        if not self._file.is_current():
            # a new file must have it as well
            self.write_status(msgspec.structs.replace(status, time=now, proof_at=proof_at))
            return
        self._file.write_alive(Alive(status.time, now, proof_at or 0.0))

    def fetch_last_alive(self) -> float | None:
        rows = self._file.select("SELECT value FROM meta WHERE key = 'status'")
        if not rows:
            return None
        status = as_last_held(self._file.path, msgspec.json.decode(rows[0][0], type=CollectorStatus))
        return status.time - status.lag

    def remember_queues(self, names: Collection[str]) -> None:
        with self._file.mutex:
            self._file.transact(lambda cursor: self._chunks.queues.note(cursor, names, now=self._clock()))

    def write_queue_samples(self, samples: Sequence[QueueSample]) -> None:
        self._file.transact(lambda cursor: write_samples(cursor, samples))

    def open_gap(self, gap: Gap) -> int:
        row = (gap.start, gap.end, gap.cause, gap.lossy, gap.detail)
        sql = 'INSERT INTO gaps (start, "end", cause, lossy, detail) VALUES (?, ?, ?, ?, ?)'
        return self._file.transact(lambda cursor: cursor.execute(sql, row).lastrowid or 0)

    def close_gap(self, gap_id: int, end: float, *, lossy: bool | None = None) -> None:
        sql = 'UPDATE gaps SET "end" = ?, lossy = coalesce(?, lossy) WHERE id = ?'
        self._file.transact(lambda cursor: cursor.execute(sql, (end, lossy, gap_id)))

    def fetch_open_gaps(self) -> list[Gap]:
        sql = 'SELECT id, start, cause, lossy, detail FROM gaps WHERE "end" IS NULL ORDER BY start, id'
        return [
            Gap(id=id_, start=start, cause=cause, lossy=bool(lossy), detail=detail)
            for id_, start, cause, lossy, detail in self._file.select(sql)
        ]

    def fetch_open_tasks(self, worker: str, *, limit: int) -> list[Task]:
        sql = f"{_OPEN_TASKS} AND worker = ? ORDER BY updated, uuid LIMIT ?"
        return [task_of(row) for row in self._file.select(sql, (worker, limit))]

    def fetch_stale_tasks(self, before: float, *, limit: int) -> list[Task]:
        sql = f"{_OPEN_TASKS} AND updated < ? ORDER BY updated, uuid LIMIT ?"
        return [task_of(row) for row in self._file.select(sql, (before, limit))]

    def prune(self, *, now: float, dry_run: bool = False) -> Pruned:
        pruned = self._plan(now)
        if not dry_run:
            transact = self._only_here()
            taken, told = 0, time.monotonic()
            for tasks in self._prune(transact, pruned.tasks, now=now):
                taken += tasks
                if time.monotonic() - told >= TELL_EVERY:
                    told = time.monotonic()
                    logger.info("%s of %s finished tasks are removed.", f"{taken:,}", f"{pruned.tasks:,}")
            for _ in sqlite_prune.give_back(transact, sqlite_prune.find_free(transact)):
                pass
        return pruned

    def prune_some(self, *, now: float, seconds: float) -> bool:
        until = time.perf_counter() + seconds
        steps = self._pruning or self._prune_and_give_back(self._trusted.get_time(now, time.monotonic()))
        # kept only if this returns: what failed is begun anew
        self._pruning = None
        for _ in steps:
            if time.perf_counter() >= until:
                self._pruning = steps
                return False
        return True

    def _prune_and_give_back(self, now: float) -> Iterator[int]:
        transact = self._only_here()
        transact(lambda cursor: cursor.execute(_PUT_META, (PRUNED, repr(now))).rowcount)
        free = sqlite_prune.find_free(transact)
        yield from self._prune(transact, self._plan(now).tasks, now=now)
        yield from sqlite_prune.give_back(transact, free)

    def _prune(self, transact: sqlite_prune.Transact, tasks: int, *, now: float) -> Iterator[int]:
        """Do it step by step; each yields how many tasks it took."""
        yield from sqlite_prune.take_tasks(transact, tasks, now=self._clock())
        # no minute may go before it is in its hour
        while transact(lambda cursor: 0 if self._chunks.rollups.roll_up(cursor, now=now) else 1):
            yield 0
        yield from sqlite_prune.thin_out(transact, self._limits, now=now)
        yield from sqlite_prune.take_senders(transact, self._limits, self._chunks.let_senders_go, now=now)

    def _only_here(self) -> sqlite_prune.Transact:
        """Transactions on the file that is written now: another one that takes its place must lose nothing."""
        here = self._file.identity

        def transact(step: Callable[[sqlite3.Cursor], int]) -> int:
            return self._file.transact(lambda cursor: step(cursor) if self._file.identity == here else 0)

        return transact

    def _plan(self, now: float) -> Pruned:
        """Counted on a connection of its own: counting a million rows must not hold up a write."""
        path = self._file.path
        with (
            translated(path),
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as other,
        ):
            cursor = other.cursor()
            if self._limits.bytes is not None:
                self._crowded = tell_crowded(self._limits, sqlite_prune.weigh_hour(cursor, now=now))
            return sqlite_prune.plan(cursor, self._limits, now=now)
