"""The part of an SQLite history's reader that tells totals: workers, counters, histograms, who changed.

Asked again and again by pages, streams and Prometheus while clusters of 1,000 workers keep changing them, so the rows
are summed and packed by SQLite, without Python's lock, and can be asked for by name.
"""

from abc import abstractmethod
from collections.abc import Collection
from typing import Any

import msgspec

from umbel.model.queue import KnownQueue, QueueBucket
from umbel.model.task import Standing
from umbel.model.worker import Worker
from umbel.store.base import FeedPlace, HistoryReader, Runtimes
from umbel.store.packed import PackedCounts, PackedRuntimes, unpack_worker
from umbel.store.partition import PARTITIONS
from umbel.store.schema import PARTITION
from umbel.store.sqlite_queue_rollups import BUCKETS, LARGEST, RANK_BY_HOURS, bucket_of
from umbel.store.sqlite_waits import WAIT_KEY

#: Feed rows in which changed senders are looked up; beyond them everything is read again.
MOST_FEED_ROWS = 2000

_WORKERS = "SELECT data FROM workers {} ORDER BY first_seen, hostname"
#: Groups come in the order of the primary key: nothing is sorted, and rows become no Python objects.
_PACKED_COUNTS = """
SELECT worker, json_group_array(task), json_group_array(type), json_group_array(n) FROM counters {} GROUP BY worker
"""
_EVENT_TOTALS = "SELECT worker, type, sum(n) FROM counters {} GROUP BY worker, type HAVING sum(n) <> 0"
_RUNTIMES = """
SELECT worker, json_group_array(task), group_concat(hex(data)) FROM runtimes WHERE bounds = :bounds {} GROUP BY worker
"""
_WAITS = "SELECT basis, task, data FROM waits WHERE bounds = :bounds ORDER BY basis, task"
_FEED_PLACE = "SELECT id, time FROM feed ORDER BY id DESC LIMIT 1"
_CHANGED_SENDERS = "SELECT id, time, workers FROM feed WHERE id >= :after ORDER BY id LIMIT :limit"
_STATE_TOTALS = "SELECT state, sum(n) FROM facets GROUP BY state"
_QUEUES = "SELECT name, first_seen, last_seen FROM queues ORDER BY name"
_OF_TASKS = f"FROM tasks WHERE {PARTITION} IN ({PARTITIONS}) {{}}"
_SENT = f"SELECT uuid, sent {_OF_TASKS} AND sent IS NOT NULL"
_STANDINGS = f"SELECT uuid, name, state, finished, worker, started, eta IS NOT NULL, updated {_OF_TASKS}"
_RUNNING_TOTALS = "SELECT worker, sum(n) FROM facets WHERE state = 'STARTED' GROUP BY worker"

_decode_runtimes = msgspec.msgpack.Decoder(Runtimes).decode
_decode_names = msgspec.msgpack.Decoder(list[str]).decode


class SQLiteTallies(HistoryReader):
    """Totals, over `_fetch_plain`."""

    #: `store.totals.bounds_key` of the run-time histogram's bounds.
    _bounds: str

    @abstractmethod
    def _fetch_plain(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        """All rows of one query, as the driver gives them."""

    def fetch_workers(self, only: Collection[str] | None = None) -> list[Worker]:
        rows = self._fetch_of(_WORKERS, "WHERE hostname", only)
        return [unpack_worker(data) for (data,) in rows]

    def fetch_packed_counts(self, only: Collection[str] | None = None) -> dict[str, PackedCounts]:
        rows = self._fetch_of(_PACKED_COUNTS, "WHERE worker", only)
        return {sender: PackedCounts(*packed) for sender, *packed in rows}

    def fetch_event_totals(self, only: Collection[str] | None = None) -> dict[str, dict[str, int]]:
        totals: dict[str, dict[str, int]] = {}
        for sender, kind, total in self._fetch_of(_EVENT_TOTALS, "WHERE worker", only):
            totals.setdefault(sender, {})[kind] = total
        return totals

    def fetch_runtimes(self, only: Collection[str] | None = None) -> dict[str, PackedRuntimes]:
        rows = self._fetch_of(_RUNTIMES, "AND worker", only, bounds=self._bounds)
        return {worker: PackedRuntimes(tasks, histograms) for worker, tasks, histograms in rows}

    def fetch_waits(self) -> dict[tuple[str, str], Runtimes]:
        rows = self._fetch_plain(_WAITS, bounds=WAIT_KEY)
        return {(basis, task): _decode_runtimes(data) for basis, task, data in rows}

    def fetch_state_totals(self) -> dict[str, int]:
        return {state: total for state, total in self._fetch_plain(_STATE_TOTALS) if total}

    def fetch_running_totals(self) -> dict[str, int]:
        return {worker: total for worker, total in self._fetch_plain(_RUNNING_TOTALS) if total}

    def fetch_queues(self) -> list[KnownQueue]:
        return [KnownQueue(*row) for row in self._fetch_plain(_QUEUES)]

    def fetch_queue_rollups(
        self, *, queue: str | None, largest: int, span: int, start: float, end: float
    ) -> list[QueueBucket]:
        queues = [queue]
        if queue is None:
            by = max(span, 3600) if end - start > RANK_BY_HOURS else span
            values = {"span": by, "start": start // by * by, "end": end, "limit": largest}
            queues = [name for (name,) in self._fetch_plain(LARGEST, **values)]
        names = msgspec.json.encode(queues).decode()
        return [
            bucket_of(row)
            for row in self._fetch_plain(BUCKETS, span=span, queues=names, start=start, end=end)
        ]

    def fetch_sent(self, uuids: Collection[str]) -> dict[str, float]:
        return dict(self._fetch_of(_SENT, "AND uuid", uuids)) if uuids else {}

    def fetch_standings(self, uuids: Collection[str]) -> dict[str, Standing]:
        if not uuids:
            return {}
        return {
            uuid: Standing(name, state, bool(finished), worker, started, bool(has_eta), updated)
            for uuid, name, state, finished, worker, started, has_eta, updated in self._fetch_of(
                _STANDINGS, "AND uuid", uuids
            )
        }

    def fetch_feed_place(self) -> FeedPlace:
        rows = self._fetch_plain(_FEED_PLACE)
        return FeedPlace(*rows[0]) if rows else FeedPlace()

    def fetch_changed_senders(self, after: FeedPlace) -> tuple[FeedPlace, frozenset[str] | None]:
        rows = self._fetch_plain(_CHANGED_SENDERS, after=after.id, limit=MOST_FEED_ROWS)
        if not rows or rows[0][:2] != (after.id, after.time) or len(rows) == MOST_FEED_ROWS:
            # an empty feed is that of a history in which nothing has happened
            return self.fetch_feed_place(), frozenset() if not rows and after == FeedPlace() else None
        names = frozenset(name for _, _, senders in rows[1:] for name in _decode_names(senders))
        return FeedPlace(*rows[-1][:2]), names

    def _fetch_of(self, sql: str, where: str, only: Collection[str] | None, **values: Any) -> list[Any]:
        """Rows of every name, or of these; the condition stands at the `{}` of `sql`."""
        if only is None:
            return self._fetch_plain(sql.format(""), **values)
        names = msgspec.json.encode(list(only)).decode()
        condition = f"{where} IN (SELECT value FROM json_each(:only))"
        return self._fetch_plain(sql.format(condition), only=names, **values)
