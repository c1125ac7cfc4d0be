"""What one chunk of changes does to an SQLite history, statement by statement, inside the caller's transaction.

`store.sqlite_writer` owns the connection, the lock and the transaction; nothing here commits.
"""

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from hashlib import blake2b
from itertools import islice
from operator import attrgetter
from typing import Any

import msgspec

from umbel.model.fold import KEEP_FIRST, KEEP_LAST, own_error
from umbel.model.task import Record, Task, TaskError
from umbel.store.base import Changes, CounterKey, TaskChange
from umbel.store.packed import PackedWorker
from umbel.store.rows import CHANGING_FIELDS, TASK_FIELDS, are_ascii, insert_row, is_steady, update_row
from umbel.store.sqlite_bulk import MOST_ROWS, insert_rows, update_rows
from umbel.store.sqlite_ids import Select, TaskFinder
from umbel.store.sqlite_queues import QueueBook
from umbel.store.sqlite_rollups import RollupBook
from umbel.store.sqlite_senders import SenderBook, let_go
from umbel.store.sqlite_waits import WaitBook
from umbel.store.totals import runtime_totals, sort_runtimes

#: A feed row names at most this many tasks.
FEED_TASKS = 200

_COLUMNS = (*TASK_FIELDS, "ascii", "marks")
_CHANGING_COLUMNS = (*CHANGING_FIELDS, "ascii", "marks")
# OR ROLLBACK, here and in `update_rows`: to undo one statement, SQLite would first put aside every page that it changes
_INSERT = f"INSERT OR ROLLBACK INTO tasks ({', '.join(_COLUMNS)})"
_TRIM_ERRORS = """
DELETE FROM task_errors WHERE uuid = ?1 AND (time, rank, digest) IN (
    SELECT time, rank, digest FROM (
        SELECT time, rank, digest, row_number() OVER w AS place, count(*) OVER () AS n
        FROM task_errors WHERE uuid = ?1 WINDOW w AS (ORDER BY time, rank, exception, traceback)
    ) WHERE place > ?2 AND place <= n - ?3)
"""
_ADD_FACET = "ON CONFLICT (state, name, worker) DO UPDATE SET n = n + excluded.n"
_DROP_FACET = "DELETE FROM facets WHERE state = ? AND name = ? AND worker = ? AND n = 0"
_ADD_COUNTER = "ON CONFLICT (worker, task, type) DO UPDATE SET n = n + excluded.n"
_DROP_COUNTER = "DELETE FROM counters WHERE worker = ? AND task = ? AND type = ? AND n = 0"
_PUT_WORKER = "ON CONFLICT (hostname) DO UPDATE SET first_seen = excluded.first_seen, data = excluded.data"

#: Tasks that are worked on together: few enough to be in the processor's cache until their rows are written.
_AT_HAND = 128
#: Finished ones of them whose texts are measured.
_ENDS_LOOKED_AT = 64
#: Bytes in a row: of the values besides texts that an end brings, and of the room that an open task is given at most.
_TIMES_OF_END, _MOST_ROOM = 40, 1000
#: Chunks that may have been begun over another file than they are written to: on its way, being filled, and one more.
_DOUBTFUL = 3

_encode = msgspec.msgpack.Encoder().encode

_facet_of = attrgetter("state", "name", "worker")


class StaleChange(Exception):
    """A task's `before` is not what is stored; the transaction must be undone and begun with fresh ones."""


class ChunkWriter:
    """Writes changes, remembering what saves it from reading: sums and known task names."""

    def __init__(self, buckets: tuple[float, ...]) -> None:
        self.finder = TaskFinder()
        self.rollups = RollupBook()
        self._buckets = buckets
        self._runtimes = runtime_totals(buckets)
        self._types: set[str] = set()
        self.queues = QueueBook()
        self._senders = SenderBook()
        self._waits = WaitBook()
        #: Bytes that a task's end adds to its row, as a rule.
        self._growth = 0.0
        #: Chunks whose new tasks are looked for before they are written.
        self._doubtful = 0

    def trust(self) -> None:
        """Nothing was looked up in another file than the one that was opened now."""
        self._doubtful = 0

    def forget(self) -> None:
        """Drop what was remembered, after a transaction was undone or the file was replaced."""
        self._doubtful = _DOUBTFUL
        self.rollups.forget()
        self._runtimes.forget()
        self._types.clear()
        self.queues.forget()
        self._senders.forget()
        self._waits.forget()

    def apply(self, cursor: sqlite3.Cursor, changes: Changes, *, now: float) -> int:
        """Execute everything that `changes` ask for; return the feed id. Raises StaleChange."""
        if self._doubtful:
            self._check_new(cursor, changes.tasks)
            self._doubtful -= 1
        self._waits.note_workers(changes.workers, changes.workers_removed)
        uuids = self._write_tasks(cursor, changes.tasks, now=now)
        _write_workers(cursor, changes.workers, changes.workers_removed)
        sums = changes.tally.totals()
        counters = _add_up(sums.counters, changes.counters)
        _write_sums(cursor, counters, "counters", _ADD_COUNTER, _DROP_COUNTER)
        runtimes = {key: sort_runtimes(seen, self._buckets) for key, seen in sums.runtimes.items()}
        self._runtimes.add(cursor, runtimes)
        self.rollups.add(cursor, sums.rollups, now=now)
        senders = {
            **dict.fromkeys(worker.hostname for worker in changes.workers),
            **dict.fromkeys(changes.workers_removed),
            **dict.fromkeys(worker for worker, _, _ in counters),
        }
        self._senders.note(cursor, senders.keys() - set(changes.workers_removed), now=now)
        return append_feed(cursor, uuids, list(senders), now=now)

    def _check_new(self, cursor: sqlite3.Cursor, changes: Iterable[TaskChange]) -> None:
        """Raises StaleChange if a task is stored that is new to the changes."""
        new = [change.after.uuid for change in changes if change.before is None]
        if self.finder.find_rows(_selecting(cursor), new):
            raise StaleChange

    def let_senders_go(self, cursor: sqlite3.Cursor, *, before: float, count: int, now: float) -> int:
        """Delete what is kept of some silent senders beside their tasks; return how many there were."""
        names = let_go(cursor, before=before, count=count)
        if names:
            gone = set(names)
            self._runtimes.keep(lambda key: key[0] not in gone)
            append_feed(cursor, [], names, now=now)
        return len(names)

    def _write_tasks(
        self, cursor: sqlite3.Cursor, changes: Collection[TaskChange], *, now: float
    ) -> list[str] | None:
        """Write rows and all that is counted with them; return whose they are, None for too many to name."""
        uuids: list[str] | None = [] if len(changes) <= FEED_TASKS else None
        facets: Counter[tuple[str, str | None, str | None]] = Counter()
        queues: set[str | None] = set()
        waits = self._waits.start(cursor)
        rows = _TaskRows(cursor, self.finder)
        walk = iter(changes)
        while part := list(islice(walk, _AT_HAND)):
            afters = [change.after for change in part]
            self._add_rows(rows, part, afters)
            _write_errors(cursor, part)
            facets.update(map(_facet_of, afters))
            facets.subtract([_facet_of(change.before) for change in part if change.before is not None])
            waits.count(part)
            queues.update([task.queue for task in afters])
            if uuids is not None:
                uuids += [task.uuid for task in afters]
        rows.finish()
        write_facets(cursor, facets)
        self._write_types(cursor, {name for _, name, _ in facets if name})
        self.queues.note(cursor, {name for name in queues if name is not None}, now=now)
        self._waits.write(cursor, waits)
        return uuids

    def _add_rows(self, rows: "_TaskRows", changes: Sequence[TaskChange], afters: Sequence[Task]) -> None:
        # nearly always all of them are: then they are looked at together
        ascii = are_ascii(afters)
        self._growth = _mean_growth(self._growth, changes)
        for change in changes:
            after = change.after
            # a row that outgrew its page would split it, and leave each half of it empty
            room = 0 if after.finished else int(self._growth)
            rows.add(change, ascii=ascii or are_ascii([after]), room=room)

    def _write_types(self, cursor: sqlite3.Cursor, names: Set[str]) -> None:
        names = names - self._types
        if names:
            insert_rows(cursor, "INSERT OR IGNORE INTO task_types", [(name,) for name in sorted(names)])
            self._types |= names


class _TaskRows:
    """Rows on their way into `tasks`, as many at a time as one statement takes. Raises StaleChange."""

    def __init__(self, cursor: sqlite3.Cursor, finder: TaskFinder) -> None:
        self._cursor = cursor
        self._finder = finder
        self._new: list[tuple[Any, ...]] = []
        #: uuid and values of rows of which only `CHANGING_FIELDS` change, and of others that are there.
        self._steady: list[tuple[str, tuple[Any, ...]]] = []
        self._other: list[tuple[str, tuple[Any, ...]]] = []

    def add(self, change: TaskChange, *, ascii: bool, room: int) -> None:
        before, after, life = change.before, change.after, change.life
        if before is None:
            self._new.append(insert_row(after, life, ascii=ascii, room=room))
            if len(self._new) == MOST_ROWS:
                self._insert()
        elif is_steady(before, after):
            self._steady.append((after.uuid, update_row(after, life, ascii=ascii, room=room)))
            if len(self._steady) == MOST_ROWS:
                self._update(_CHANGING_COLUMNS, self._steady)
        else:
            self._other.append((after.uuid, insert_row(after, life, ascii=ascii, room=room)))

    def finish(self) -> None:
        """Write what is left."""
        self._insert()
        self._update(_CHANGING_COLUMNS, self._steady)
        self._update(_COLUMNS, self._other)

    def _insert(self) -> None:
        if not self._new:
            return
        try:
            insert_rows(self._cursor, _INSERT, self._new)
        except sqlite3.IntegrityError as exc:
            if exc.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
                raise StaleChange from exc
            raise
        self._new.clear()

    def _update(self, columns: tuple[str, ...], rows: list[tuple[str, tuple[Any, ...]]]) -> None:
        if not rows:
            return
        ids = self._finder.find_rows(_selecting(self._cursor), [uuid for uuid, _ in rows])
        if len(ids) != len(rows):
            raise StaleChange
        update_rows(self._cursor, "tasks", columns, "id", [(*values, ids[uuid]) for uuid, values in rows])
        rows.clear()


def _selecting(cursor: sqlite3.Cursor) -> Select:
    return lambda sql, parameters: cursor.execute(sql, parameters).fetchall()


def append_feed(
    cursor: sqlite3.Cursor, uuids: Sequence[str] | None, senders: Sequence[str], *, now: float
) -> int:
    """Say what changed; None or more than 200 `uuids` are 'many'. Returns the feed id."""
    named = None if uuids is None or len(uuids) > FEED_TASKS else _encode(uuids)
    cursor.execute("INSERT INTO feed (time, tasks, workers) VALUES (?, ?, ?)", (now, named, _encode(senders)))
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def write_facets(
    cursor: sqlite3.Cursor, differences: Mapping[tuple[str, str | None, str | None], int]
) -> None:
    """Add to the counts of rows by state, name and worker."""
    totals: dict[tuple[str, str, str], int] = {}
    for (state, name, worker), difference in differences.items():
        key = (state, name or "", worker or "")
        totals[key] = totals.get(key, 0) + difference
    _write_sums(cursor, totals, "facets", _ADD_FACET, _DROP_FACET)


def _mean_growth(growth: float, changes: Sequence[TaskChange]) -> float:
    """`growth`, drawn towards what the ends of some of these tasks added to their rows."""
    ended = [change.after for change in islice(changes, _ENDS_LOOKED_AT) if change.after.finished]
    if not ended:
        return growth
    texts = sum(len(task.result or task.exception or "") + len(task.traceback or "") for task in ended)
    mean = min(_MOST_ROOM, _TIMES_OF_END + texts / len(ended))
    return mean if not growth else growth + (mean - growth) / 8


def _write_errors(cursor: sqlite3.Cursor, changes: Iterable[TaskChange]) -> None:
    """Put the errors of earlier attempts aside; no task keeps more of them than marks."""
    rows = []
    crowded = []
    for change in changes:
        record = change.life
        if isinstance(record, Record) and len(record.errors) > 1:
            own = own_error(record)
            rows += [_error_row(record.uuid, error) for error in record.errors if error is not own]
            if len(record.marks) >= KEEP_FIRST + KEEP_LAST:
                crowded.append((record.uuid, KEEP_FIRST, KEEP_LAST - 1))
    if rows:
        insert_rows(cursor, "INSERT OR IGNORE INTO task_errors", rows)
    for parameters in crowded:
        cursor.execute(_TRIM_ERRORS, parameters)


def _error_row(uuid: str, error: TaskError) -> tuple[str, float, int, bytes, str, str]:
    text = f"{error.exception}\0{error.traceback}".encode()
    digest = blake2b(text, digest_size=8).digest()
    return (uuid, error.time, error.rank, digest, error.exception, error.traceback)


def _write_workers(cursor: sqlite3.Cursor, workers: Sequence[PackedWorker], removed: Sequence[str]) -> None:
    if workers:
        # in the table's order: rows of one page follow each other
        rows = sorted([(w.hostname, w.first_seen, w.data) for w in workers])
        insert_rows(cursor, "INSERT INTO workers", rows, _PUT_WORKER)
    if removed:
        cursor.executemany("DELETE FROM workers WHERE hostname = ?", [(hostname,) for hostname in removed])


def _add_up(
    counters: Mapping[tuple[str, str, str], int], others: Mapping[CounterKey, int]
) -> dict[tuple[str, str, str], int]:
    total = dict(counters)
    for key, n in others.items():
        name = (key.worker, key.task, key.type)
        total[name] = total.get(name, 0) + n
    return total


def _write_sums(
    cursor: sqlite3.Cursor, differences: Mapping[tuple[str, str, str], int], table: str, add: str, drop: str
) -> None:
    rows = sorted([(*key, difference) for key, difference in differences.items() if difference])
    if rows:
        insert_rows(cursor, f"INSERT INTO {table}", rows, add)
    lessened = [row[:3] for row in rows if row[3] < 0]
    if lessened:
        cursor.executemany(drop, lessened)
