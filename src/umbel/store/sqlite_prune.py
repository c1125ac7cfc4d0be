"""Retention on an SQLite history: small steps, each one short transaction, so that writes go in between.

Called by `store.sqlite_writer`, which hands in how to run one step under its lock.
"""

import sqlite3
from collections.abc import Callable
from functools import partial
from time import perf_counter, sleep

from umbel.store.base import Pruned
from umbel.store.retention import FEED_AGE, QUEUE_AGE, ROLLUP_AGES, Holdings, Limits, bytes_per_task, excess
from umbel.store.sqlite_write import append_feed, facet_key, write_facets

#: Runs one step as a transaction under the writer's lock and returns its result.
Transact = Callable[[Callable[[sqlite3.Cursor], int]], int]

#: Seconds that a step may hold the lock; the next step is made smaller or larger to come near it.
STEP = 0.03
_FIRST_ROWS = 200
_MOST_ROWS = 5000
#: Notes for the search index that are kept; it takes them within seconds.
KEPT_REWRITTEN = 100_000
#: Free pages kept for the next writes: so many, or this part of the file.
_SPARE_PAGES = 256
_SPARE_SHARE = 20

_OLDEST = "SELECT id, uuid, state, name, worker FROM tasks WHERE finished = 1 ORDER BY updated, id LIMIT ?"


def fetch_holdings(cursor: sqlite3.Cursor, limits: Limits, *, now: float) -> Holdings:
    """What the history holds, measured against the limit of age."""
    tasks = cursor.execute("SELECT coalesce(sum(n), 0) FROM facets").fetchone()[0]
    unfinished = cursor.execute("SELECT count(*) FROM tasks WHERE finished = 0").fetchone()[0]
    aged = 0
    if limits.age is not None:
        aged = cursor.execute(
            "SELECT count(*) FROM tasks INDEXED BY tasks_updated WHERE updated < ? AND finished = 1",
            (now - limits.age,),
        ).fetchone()[0]
    return Holdings(tasks=tasks, finished=tasks - unfinished, aged=aged, bytes=_used_bytes(cursor))


def plan(cursor: sqlite3.Cursor, limits: Limits, *, now: float) -> Pruned:
    """What a run of retention takes; bytes are the tasks' even share of the file."""
    holdings = fetch_holdings(cursor, limits, now=now)
    tasks = excess(limits, holdings)
    return Pruned(tasks, int(tasks * bytes_per_task(holdings)))


def take_tasks(transact: Transact, count: int, *, now: float) -> int:
    """Delete the `count` oldest finished tasks; return how many went."""
    taken = 0
    size = _FIRST_ROWS
    while taken < count:
        wanted = min(size, count - taken)
        began = perf_counter()
        step = transact(partial(_take, count=wanted, now=now))
        if not step:
            break
        taken += step
        size = _next_size(size, perf_counter() - began)
        _let_others()
    return taken


def thin_out(transact: Transact, limits: Limits, *, now: float) -> None:
    """Delete time buckets, feed rows and gaps that are past their age."""
    for span, age in ROLLUP_AGES.items():
        for kind in ("task", "worker"):
            _delete(
                transact,
                "rollups",
                "(span, kind, label, start)",
                "span = ? AND kind = ? AND start < ?",
                (span, kind, int(now - age)),
            )
        keys = "(span, queue, start)"
        _delete(transact, "queue_rollups", keys, "span = ? AND start < ?", (span, int(now - age)))
    # the newest row stays, for its id is where readers begin
    _delete(transact, "feed", "id", "time < ? AND id < (SELECT max(id) FROM feed)", (now - FEED_AGE,))
    _delete(transact, "queues", "name", "last_seen < ?", (now - QUEUE_AGE,))
    # a search index that is further behind is made anew
    _delete(transact, "rewritten", "seq", "seq <= (SELECT max(seq) FROM rewritten) - ?", (KEPT_REWRITTEN,))
    if limits.age is not None:
        _delete(transact, "gaps", "id", '"end" < ?', (now - limits.age,))


def give_back(transact: Transact) -> None:
    """Return free pages to the file system, but for what the next writes will need."""
    free = transact(_free_pages)
    spare = max(_SPARE_PAGES, transact(_pages) // _SPARE_SHARE)
    size = _FIRST_ROWS
    while free > spare:
        began = perf_counter()
        left = transact(partial(_vacuum, pages=min(size, free - spare)))
        if left >= free:
            break
        free = left
        size = _next_size(size, perf_counter() - began)
        _let_others()


def _take(cursor: sqlite3.Cursor, *, count: int, now: float) -> int:
    rows = cursor.execute(_OLDEST, (count,)).fetchall()
    if not rows:
        return 0
    differences: dict[tuple[str, str, str], int] = {}
    for _, _, state, name, worker in rows:
        key = facet_key(state, name, worker)
        differences[key] = differences.get(key, 0) - 1
    cursor.executemany("DELETE FROM tasks WHERE id = ?", [(row[0],) for row in rows])
    cursor.executemany("DELETE FROM task_errors WHERE uuid = ?", [(row[1],) for row in rows])
    write_facets(cursor, differences)
    append_feed(cursor, None, (), now=now)
    return len(rows)


def _delete(transact: Transact, table: str, key: str, where: str, parameters: tuple[object, ...]) -> None:
    """Delete matching rows, some at a time."""
    columns = key.strip("()")
    sql = f"DELETE FROM {table} WHERE {key} IN (SELECT {columns} FROM {table} WHERE {where} LIMIT ?)"
    size = _FIRST_ROWS
    while True:
        began = perf_counter()
        if transact(partial(_execute, sql=sql, parameters=(*parameters, size))) < size:
            return
        size = _next_size(size, perf_counter() - began)
        _let_others()


def _execute(cursor: sqlite3.Cursor, *, sql: str, parameters: tuple[object, ...]) -> int:
    return cursor.execute(sql, parameters).rowcount


def _next_size(size: int, took: float) -> int:
    if took > STEP:
        return max(20, size // 2)
    return min(_MOST_ROWS, size * 2) if took < STEP / 3 else size


def _let_others() -> None:
    """Python's locks are not fair: without a pause a waiting write would not get its turn."""
    sleep(0.002)


def _used_bytes(cursor: sqlite3.Cursor) -> int:
    pages = _pages(cursor) - _free_pages(cursor)
    return int(pages * cursor.execute("PRAGMA page_size").fetchone()[0])


def _pages(cursor: sqlite3.Cursor) -> int:
    return int(cursor.execute("PRAGMA page_count").fetchone()[0])


def _free_pages(cursor: sqlite3.Cursor) -> int:
    return int(cursor.execute("PRAGMA freelist_count").fetchone()[0])


def _vacuum(cursor: sqlite3.Cursor, *, pages: int) -> int:
    # the pragma frees one page a step, so all its rows must be fetched
    cursor.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
    return _free_pages(cursor)
