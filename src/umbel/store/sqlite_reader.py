"""Questions to an SQLite history, from any thread, while its writer writes.

`queries` makes the statements; here they get connections, a deadline and their way back to records. Used by
the web process, metrics and the command line.
"""

import sqlite3
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from umbel.errors import StoreUnavailable
from umbel.model.fold import join
from umbel.model.plain import as_record
from umbel.model.rollup import Rollup, RollupKey
from umbel.model.task import Record, TaskError
from umbel.store import schema, text
from umbel.store.base import Count, CounterKey, Facet, FeedRow, Gap, Page, TaskDetail, TaskQuery
from umbel.store.condition import Known
from umbel.store.migrate import check_version, fetch_version
from umbel.store.order import decode_cursor, encode_cursor
from umbel.store.packing import unpack
from umbel.store.paging import Finder
from umbel.store.partition import has_uuid
from umbel.store.queries import chosen_values, count_facets, facets_suffice, known_fields, select_values
from umbel.store.retention import Extent
from umbel.store.rows import TASK_FIELDS, task_of
from umbel.store.schema import tasks
from umbel.store.search_index import Candidates, IndexView, SearchIndex
from umbel.store.sqlite_file import Damaged, as_last_held, identity, translated
from umbel.store.sqlite_rollups import add_up, select_rollups
from umbel.store.sqlite_tallies import SQLiteTallies
from umbel.store.status import CollectorStatus
from umbel.store.stepped_view import SteppedView, driver_of
from umbel.store.totals import bounds_key

#: Ids are given in order: two look-ups, however long the history.
_NEWEST = (
    "SELECT (SELECT coalesce(max(id), 0) FROM tasks), "
    "(SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'rewritten')"
)

#: Connections kept, and how many more may be open for a moment.
POOL_SIZE = 4
POOL_OVERFLOW = 8
#: Virtual machine steps between two looks at the clock: about 1 ms.
_STEPS = 10_000
MOST_CHILDREN = 1000

# What every list asks for, in SQL's own words: to make and to compile such a statement takes longer than its rows do.
_ROWS = f"SELECT {', '.join(TASK_FIELDS)}, id FROM tasks WHERE id IN (SELECT value FROM json_each(?))"
_KNOWN = "SELECT {0}, sum(n) FROM facets GROUP BY {0}"
_CHILDREN = """
SELECT parent_id, uuid FROM tasks WHERE parent_id IN (SELECT value FROM json_each(:parents))
ORDER BY coalesce(sent, received, first_seen), uuid LIMIT :most
"""


class _Deadline:
    """When the running query of one connection must end, in `time.monotonic` seconds."""

    def __init__(self) -> None:
        self.at = float("inf")

    def passed(self) -> bool:
        return time.monotonic() > self.at


class SQLiteReader(SQLiteTallies):
    """`HistoryReader` on one file. Thread-safe; follows the file when the writer begins a new one.

    Args:
        buckets: Upper bounds, in seconds, of Flower's run-time histogram: as the writer's.
        timeout: Seconds after which a query is given up.
        count_time: Seconds after which counting ends; what was counted by then is a floor.
        search_index: Use the search index beside the file, when there is one.
    """

    def __init__(
        self,
        path: Path,
        *,
        buckets: tuple[float, ...],
        timeout: float = 10.0,
        count_time: float = 0.25,
        search_index: bool = True,
    ) -> None:
        self._path = path
        self._bounds = bounds_key(buckets)
        self._timeout = timeout
        self._count_time = count_time
        self._index = SearchIndex(path) if search_index else None
        self._engine: sa.Engine | None = None
        self._opening = threading.Lock()

    def open(self) -> None:
        self._opened()

    def _opened(self) -> sa.Engine:
        with self._opening:
            if self._engine is not None:
                return self._engine
            engine = self._make_engine()
            try:
                with self._view(engine) as connection:
                    version = fetch_version(connection)
                check_version(version, str(self._path), schema.SCHEMA_VERSION)
                if version != schema.SCHEMA_VERSION:
                    raise StoreUnavailable(f"The history {self._path} is not made or not upgraded yet")
            except BaseException:
                engine.dispose()
                raise
            self._engine = engine
            return engine

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        if self._index is not None:
            self._index.close()

    def fetch_tasks(
        self, query: TaskQuery, *, limit: int, cursor: str | None = None, offset: int = 0
    ) -> Page:
        position = None if cursor is None else decode_cursor(query, cursor)
        with self._index_of(query) as index, self._reading() as connection:
            view = SteppedView(connection)
            finder = _make_finder(view, query, index)
            found = finder.find(limit + 1, position, max(0, offset))
            # a task that moved ahead while the page was made was found twice
            ids = list(dict.fromkeys(row.id for row in found[:limit]))
            rows = view.fetch_text(_ROWS, (str(ids),))
        by_id = {row[-1]: row for row in rows}
        page = [task_of(by_id[id_]) for id_ in ids if id_ in by_id]
        return Page(page, encode_cursor(query, found[limit - 1]) if len(found) > limit else None)

    def count_tasks(self, query: TaskQuery, *, limit: int = 100_000) -> Count:
        with self._index_of(query) as index, self._reading() as connection:
            view = SteppedView(connection)
            if facets_suffice(query):
                return Count(view.fetch(count_facets(query, _fetch_known(view, query)))[0][0], True)
            finder = _make_finder(view, query, index)
            return finder.count(limit, until=time.monotonic() + self._count_time)

    def _index_of(self, query: TaskQuery) -> AbstractContextManager[IndexView | None]:
        """The search index, where the query can use it; opened before the history is read."""
        if query.search is None or self._index is None or facets_suffice(query):
            return nullcontext()
        return self._index.viewing()

    def fetch_task(self, uuid: str) -> TaskDetail | None:
        columns = [tasks.c[name] for name in (*TASK_FIELDS, "marks")]
        earlier = schema.task_errors
        with self._reading() as connection:
            row = connection.execute(sa.select(*columns).where(has_uuid(uuid))).fetchone()
            if row is None:
                return None
            errors = connection.execute(
                sa.select(earlier.c.time, earlier.c.rank, earlier.c.exception, earlier.c.traceback).where(
                    earlier.c.uuid == uuid
                )
            ).fetchall()
            values = {"parents": _as_json([uuid]), "most": MOST_CHILDREN}
            children = connection.exec_driver_sql(_CHILDREN, values).fetchall()
        task = task_of(row)
        record = as_record(task, unpack(task, row[-1]))
        if errors:
            others = tuple(sorted(TaskError(*error) for error in errors))
            record = join(record, Record(uuid, (), {}, others))
        return TaskDetail(task, record, [child for _, child in children])

    def fetch_children(self, uuids: Collection[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for parent, child in self._fetch_plain(_CHILDREN, parents=_as_json(uuids), most=-1):
            found.setdefault(parent, []).append(child)
        return found

    def fetch_counters(self) -> dict[CounterKey, int]:
        return {CounterKey(*row[:3]): row[3] for row in self._fetch(sa.select(schema.counters))}

    def fetch_facets(self) -> list[Facet]:
        return [Facet(*row) for row in self._fetch(sa.select(schema.facets))]

    def fetch_prefetched(self) -> dict[tuple[str, str], int]:
        statement = (
            sa.select(tasks.c.worker, tasks.c.name, sa.func.count())
            .where(tasks.c.state == "RECEIVED", tasks.c.eta.is_(None))
            .group_by(tasks.c.worker, tasks.c.name)
        )
        return {(worker or "", name or ""): count for worker, name, count in self._fetch(statement)}

    def fetch_running(self) -> dict[tuple[str, str], tuple[int, float]]:
        statement = (
            sa.select(tasks.c.worker, tasks.c.name, tasks.c.wait)
            .where(tasks.c.state == "STARTED")
            .order_by(tasks.c.started, tasks.c.uuid)
        )
        running: dict[tuple[str, str], tuple[int, float]] = {}
        for worker, name, wait in self._fetch(statement):
            key = (worker or "", name or "")
            count, latest = running.get(key, (0, 0.0))
            running[key] = (count + 1, latest if wait is None else wait)
        return running

    def fetch_task_types(self) -> list[str]:
        return sorted(row[0] for row in self._fetch(sa.select(schema.task_types)))

    def fetch_rollups(
        self, *, kind: str, label: str | None, span: int, start: float, end: float
    ) -> list[tuple[RollupKey, Rollup]]:
        parts = self._fetch(select_rollups(kind=kind, label=label, span=span, start=start, end=end))
        return add_up(parts, kind=kind, span=span)

    def fetch_gaps(self, *, limit: int = 100) -> list[Gap]:
        table = schema.gaps
        statement = sa.select(table).order_by(table.c.start.desc(), table.c.id.desc()).limit(limit)
        return [Gap(**row._mapping) for row in self._fetch(statement)]

    def fetch_feed(self, after: int, *, limit: int = 1000) -> list[FeedRow]:
        decode = msgspec.msgpack.Decoder(list[str]).decode
        table = schema.feed
        statement = sa.select(table).where(table.c.id > after).order_by(table.c.id).limit(limit)
        return [
            FeedRow(id_, time_, None if uuids is None else decode(uuids), decode(hostnames))
            for id_, time_, uuids, hostnames in self._fetch(statement)
        ]

    def fetch_feed_head(self) -> int:
        return int(self._fetch(sa.select(sa.func.coalesce(sa.func.max(schema.feed.c.id), 0)))[0][0])

    def fetch_status(self) -> CollectorStatus | None:
        table = schema.meta
        rows = self._fetch(sa.select(table.c.value).where(table.c.key == "status"))
        if not rows:
            return None
        status = msgspec.json.decode(rows[0][0], type=CollectorStatus)
        return as_last_held(self._path, status)

    def fetch_extent(self) -> Extent:
        tasks = sa.select(sa.func.coalesce(sa.func.sum(schema.facets.c.n), 0)).scalar_subquery()
        since = sa.select(schema.meta.c.value).where(schema.meta.c.key == schema.TAKEN).scalar_subquery()
        held, taken = self._fetch(sa.select(tasks, since))[0]
        files = (self._path, Path(f"{self._path}-wal"))
        return Extent(
            tasks=int(held),
            bytes=sum(file.stat().st_size for file in files if file.exists()),
            since=None if taken is None else float(taken),
        )

    def fetch_wal_size(self) -> int:
        wal = Path(f"{self._path}-wal")
        return wal.stat().st_size if wal.exists() else 0

    def fetch_search_backlog(self) -> int | None:
        if self._index is None:
            return None
        with self._index.viewing() as view:
            if view is None:
                return None
            state, pending = view.state, view.count_pending()
        newest, changed = map(int, self._fetch_plain(_NEWEST)[0])
        return max(0, newest - state.indexed) + max(0, changed - state.seq) + pending

    def _fetch_plain(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        with self._reading() as connection:
            return driver_of(connection).execute(sql, values).fetchall()

    def _fetch(self, statement: sa.Executable) -> list[Any]:
        with self._reading() as connection:
            return list(connection.execute(statement).fetchall())

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        """One consistent view of the history for at most `timeout` seconds; opens it if that was not done yet."""
        with self._view(self._engine or self._opened()) as connection:
            yield connection

    @contextmanager
    def _view(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        deadline: _Deadline | None = None
        try:
            with translated(self._path), engine.connect() as connection:
                deadline = connection.info["deadline"]
                deadline.at = time.monotonic() + self._timeout
                yield connection
        except Damaged as exc:
            raise StoreUnavailable(f"The history cannot be read: {exc}") from exc
        except StoreUnavailable as exc:
            if deadline is not None and deadline.passed():
                raise StoreUnavailable(f"The history gave no answer within {self._timeout:g} s") from exc
            raise
        except (sa.exc.TimeoutError, sa.exc.InvalidRequestError) as exc:
            raise StoreUnavailable(f"No connection to the history {self._path} is free") from exc

    def _make_engine(self) -> sa.Engine:
        engine = sa.create_engine(
            "sqlite://",
            creator=self._connect,
            poolclass=sa.QueuePool,
            pool_size=POOL_SIZE,
            max_overflow=POOL_OVERFLOW,
            pool_timeout=self._timeout,
            # the connection used last, whose pages are in memory
            pool_use_lifo=True,
        )

        @sa.event.listens_for(engine, "connect")
        def remember(connection: sqlite3.Connection, record: sa.pool.ConnectionPoolEntry) -> None:
            deadline = _Deadline()
            connection.set_progress_handler(deadline.passed, _STEPS)
            record.info.update(deadline=deadline, identity=identity(self._path))

        @sa.event.listens_for(engine, "checkout")
        def compare(connection: sqlite3.Connection, record: sa.pool.ConnectionPoolEntry, _: object) -> None:
            record.info["deadline"].at = float("inf")
            if record.info["identity"] != identity(self._path):
                raise sa.exc.DisconnectionError("the writer began a new file")

        @sa.event.listens_for(engine, "begin")
        def begin(connection: sa.Connection) -> None:
            driver_of(connection).execute("BEGIN")

        return engine

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA cache_size = -8192")
        connection.create_function("umbel_contains", -1, text.contains, deterministic=True)
        connection.create_function("umbel_key", 1, text.sort_key, deterministic=True)
        connection.create_function("umbel_has_pair", 3, text.has_pair, deterministic=True)
        return connection


def _fetch_known(view: SteppedView, query: TaskQuery) -> Known:
    known = {field: dict(view.fetch_text(_KNOWN.format(field), ())) for field in known_fields(query)}
    chosen = chosen_values(query, known)
    if query.sort in known and chosen:
        # values that no row has together with what was chosen need no look
        left = {row[0] for row in view.fetch(select_values(query.sort, chosen))}
        known[query.sort] = {value: n for value, n in known[query.sort].items() if value in left}
    return known


def _make_finder(view: SteppedView, query: TaskQuery, index: IndexView | None) -> Finder:
    known = _fetch_known(view, query)
    if index is None or query.search is None:
        return Finder(view, query, known)
    candidates = Candidates(index, view, query.search, known)
    return Finder(view, query, known, candidates if candidates.is_useful else None)


def _as_json(texts: Collection[str]) -> str:
    """For `json_each`."""
    return msgspec.json.encode(list(texts)).decode()
