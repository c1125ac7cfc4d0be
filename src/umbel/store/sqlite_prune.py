"""Retention on an SQLite history: small steps, each one short transaction, so that writes go in between.

Called by `store.sqlite_writer`, which hands in how to run one step under its lock.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter

from umbel.store.retention import (
    BUCKET_AGES,
    FEED_AGE,
    QUEUE_AGE,
    ROLLUP_AGES,
    Holdings,
    Limits,
    Pruned,
    bytes_per_task,
    excess,
    sender_age,
)
from umbel.store.schema import TAKEN
from umbel.store.sqlite_write import append_feed, write_facets

#: Runs one step as a transaction under the writer's lock and returns its result, or 0 without running it when there is
#: nothing to be done any more.
Transact = Callable[[Callable[[sqlite3.Cursor], int]], int]

#: Seconds that a step holds the lock, about. Rows that are far apart in an index share its pages in a step: with steps
#: of 0.1 s retention takes a tenth less time, of 0.03 s a third more.
STEP = 0.05
_FEWEST_ROWS, _FIRST_ROWS, _MOST_ROWS = 20, 1000, 5000
#: Senders let go in the first step: some hundred rows each.
_FIRST_SENDERS = 50
#: Notes for the search index that are kept; it takes them within seconds.
KEPT_REWRITTEN = 100_000
#: Free pages kept for the next writes: so many, or this part of the file.
_SPARE_PAGES = 256
_SPARE_SHARE = 20

_OLDEST = (
    "SELECT id, uuid, state, name, worker, updated FROM tasks WHERE finished = 1 ORDER BY updated, id LIMIT ?"
)
_NOTE_TAKEN = (
    f"INSERT INTO meta VALUES ('{TAKEN}', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value "
    "WHERE CAST(value AS REAL) < CAST(excluded.value AS REAL)"
)
_MADE = "FROM rollups WHERE span = ? AND kind = ? AND start > ? AND start <= ?"
#: Of a time bucket, which stands in two trees that are not full.
_BUCKET_BYTES = "length(data) + 2 * length(label) + 100"
#: One statement for all: with one each, they take twice as long.
_DELETE_TASKS = "DELETE FROM tasks WHERE id IN (SELECT value FROM json_each(?))"
_DELETE_ERRORS = "DELETE FROM task_errors WHERE uuid IN (SELECT value FROM json_each(?))"


def plan(cursor: sqlite3.Cursor, limits: Limits, *, now: float) -> Pruned:
    """What a run of retention takes; bytes are the tasks' even share of the file."""
    holdings = _fetch_holdings(cursor, limits, now=now)
    tasks = excess(limits, holdings)
    if tasks:
        unfinished = cursor.execute("SELECT count(*) FROM tasks WHERE finished = 0").fetchone()[0]
        tasks = min(tasks, holdings.tasks - unfinished)
    return Pruned(tasks, int(tasks * bytes_per_task(holdings)))


def weigh_hour(cursor: sqlite3.Cursor, *, now: float) -> dict[tuple[str, int], float]:
    """Kind and span of time buckets -> bytes, about, that one hour made: the last one that is in them."""
    weights = {}
    for kind, ages in ROLLUP_AGES.items():
        for span in ages:
            given = (span, kind, now - span - 3600, now - span)
            count = cursor.execute(f"SELECT count(*) {_MADE}", given).fetchone()[0]
            size = cursor.execute(
                f"SELECT avg(size) FROM (SELECT {_BUCKET_BYTES} AS size {_MADE} LIMIT 100)", given
            )
            weights[kind, span] = count * (size.fetchone()[0] or 0.0)
    return weights


def _fetch_holdings(cursor: sqlite3.Cursor, limits: Limits, *, now: float) -> Holdings:
    """What the history holds, measured against the limit of age."""
    tasks = cursor.execute("SELECT coalesce(sum(n), 0) FROM facets").fetchone()[0]
    aged = 0
    if limits.age is not None:
        aged = cursor.execute(
            "SELECT count(*) FROM tasks INDEXED BY tasks_updated WHERE updated < ? AND finished = 1",
            (now - limits.age,),
        ).fetchone()[0]
    return Holdings(tasks=tasks, aged=aged, bytes=_used_bytes(cursor))


def take_tasks(transact: Transact, count: int, *, now: float) -> Iterator[int]:
    """Delete the `count` oldest finished tasks, some at each step, which yields how many."""
    size = _FIRST_ROWS
    while count > 0:
        began = perf_counter()
        taken = transact(partial(_take, count=min(size, count), now=now))
        if not taken:
            return
        count -= taken
        size = _next_size(size, perf_counter() - began)
        yield taken


def thin_out(transact: Transact, limits: Limits, *, now: float) -> Iterator[int]:
    """Delete time buckets, feed rows and gaps that are past their age, some at each step."""
    for kind, ages in ROLLUP_AGES.items():
        for span, age in ages.items():
            key, where = "(span, kind, label, start)", "span = ? AND kind = ? AND start < ?"
            yield from _delete(transact, "rollups", key, where, (span, kind, int(now - age)))
    for span, age in BUCKET_AGES.items():
        key, where = "(span, queue, start)", "span = ? AND start < ?"
        yield from _delete(transact, "queue_rollups", key, where, (span, int(now - age)))
    # up to the first young one, for the rows of an hour may be 100 MB; the newest stays, for readers begin at its id
    young = "SELECT id FROM feed WHERE time >= ? ORDER BY id LIMIT 1"
    where = f"id < coalesce(({young}), (SELECT max(id) FROM feed))"
    yield from _delete(transact, "feed", "id", where, (now - FEED_AGE,))
    yield from _delete(transact, "queues", "name", "last_seen < ?", (now - QUEUE_AGE,))
    # a search index that is further behind is made anew
    where = "seq <= (SELECT max(seq) FROM rewritten) - ?"
    yield from _delete(transact, "rewritten", "seq", where, (KEPT_REWRITTEN,))
    if limits.age is not None:
        yield from _delete(transact, "gaps", "id", '"end" < ?', (now - limits.age,))


def take_senders(
    transact: Transact, limits: Limits, let_go: Callable[..., int], *, now: float
) -> Iterator[int]:
    """Delete what is kept of senders that have been silent for long, some at each step.

    Args:
        let_go: `ChunkWriter.let_senders_go`.
    """
    age = sender_age(limits)
    if age is None:
        return
    size = _FIRST_SENDERS
    while True:
        began = perf_counter()
        taken = transact(partial(let_go, before=now - age, count=size, now=now))
        yield 0
        if taken < size:
            return
        size = _next_size(size, perf_counter() - began)


def find_free(transact: Transact) -> int:
    """Pages of the file that hold nothing and that the next writes will not need."""
    return transact(_free_pages) - max(_SPARE_PAGES, transact(_pages) // _SPARE_SHARE)


def give_back(transact: Transact, pages: int) -> Iterator[int]:
    """Return free pages to the file system, some at each step."""
    size = _FIRST_ROWS
    while pages > 0:
        began = perf_counter()
        given = transact(partial(_vacuum, pages=min(size, pages)))
        if given <= 0:
            return
        pages -= given
        size = _next_size(size, perf_counter() - began)
        yield 0


def _take(cursor: sqlite3.Cursor, *, count: int, now: float) -> int:
    rows = cursor.execute(_OLDEST, (count,)).fetchall()
    if not rows:
        return 0
    differences: Counter[tuple[str, str | None, str | None]] = Counter()
    differences.subtract([(state, name, worker) for _, _, state, name, worker, _ in rows])
    cursor.execute(_DELETE_TASKS, (json.dumps([row[0] for row in rows]),))
    uuids = [row[1] for row in rows]
    cursor.execute(_DELETE_ERRORS, (json.dumps(uuids),))
    write_facets(cursor, differences)
    cursor.execute(_NOTE_TAKEN, (repr(rows[-1][5]),))
    append_feed(cursor, uuids, (), now=now)
    return len(rows)


def _delete(
    transact: Transact, table: str, key: str, where: str, parameters: tuple[object, ...]
) -> Iterator[int]:
    """Delete matching rows, some at each step."""
    columns = key.strip("()")
    sql = f"DELETE FROM {table} WHERE {key} IN (SELECT {columns} FROM {table} WHERE {where} LIMIT ?)"
    size = _FIRST_ROWS
    while True:
        began = perf_counter()
        deleted = transact(partial(_execute, sql=sql, parameters=(*parameters, size)))
        yield 0
        if deleted < size:
            return
        size = _next_size(size, perf_counter() - began)


def _execute(cursor: sqlite3.Cursor, *, sql: str, parameters: tuple[object, ...]) -> int:
    return cursor.execute(sql, parameters).rowcount


def _next_size(size: int, took: float) -> int:
    """So many rows that they take STEP seconds, after `size` of them `took` others."""
    return max(_FEWEST_ROWS, min(_MOST_ROWS, int(size * min(2.0, STEP / max(took, 1e-6)))))


def _used_bytes(cursor: sqlite3.Cursor) -> int:
    pages = _pages(cursor) - _free_pages(cursor)
    return int(pages * cursor.execute("PRAGMA page_size").fetchone()[0])


def _pages(cursor: sqlite3.Cursor) -> int:
    return int(cursor.execute("PRAGMA page_count").fetchone()[0])


def _free_pages(cursor: sqlite3.Cursor) -> int:
    return int(cursor.execute("PRAGMA freelist_count").fetchone()[0])


def _vacuum(cursor: sqlite3.Cursor, *, pages: int) -> int:
    before = _free_pages(cursor)
    for _ in range(pages):
        # a page each: with more, Python 3.11's driver leaves the statement after the first one
        cursor.execute("PRAGMA incremental_vacuum(1)").fetchall()
    return before - _free_pages(cursor)
