"""Recounts a history from its rows: what counters, rollups, facets, run times and every shown field must be.

Works on a copy of the files, so that a history can be looked at between a kill and the next start without repairing it
for the product. The sums are made anew with `umbel.model`, from the marks alone.
"""

import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import msgspec

from tests.contract.teller import with_longer_spans
from tests.prove.ledger import Mark
from umbel.model.fold import project
from umbel.model.plain import as_record
from umbel.model.rollup import Rollup, RollupKey, Tally, Totals
from umbel.model.task import LOST, Record, Task, TaskError
from umbel.store.packing import unpack
from umbel.store.rows import TASK_FIELDS, task_of

_K = TypeVar("_K")


class Recount(msgspec.Struct):
    """What a history holds, and where its sums disagree with its rows (sentences; empty when all is well)."""

    tasks: int
    #: task-* counters, summed.
    events: int
    rollups: int
    facets: int
    differences: list[str]
    rows: dict[str, Task]
    #: (task id, type without `task-`, time) of every mark that an event made.
    marks: set[Mark]


def recount(path: Path) -> Recount:
    """Compare every sum of the history at `path` with its rows."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy.sqlite3")
        for suffix in ("", "-wal"):
            if Path(f"{path}{suffix}").exists():
                shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
        with closing(sqlite3.connect(copy)) as history:
            return _recount(history)


def _recount(history: sqlite3.Connection) -> Recount:
    differences: list[str] = []
    (verdict,) = history.execute("PRAGMA integrity_check").fetchone()
    if verdict != "ok":
        differences.append(f"integrity_check: {verdict}")
    if not history.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return Recount(0, 0, 0, 0, differences, {}, set())  # killed before it made its tables
    rows, records = _read_rows(history, differences)
    tally = Tally()
    for record in records:
        tally.add_transition(None, record)
    totals = tally.totals()
    counters = _compare_counters(history, totals, differences)
    rollups = _compare_rollups(history, totals, differences)
    _compare_runtimes(history, totals, differences)
    facets = _compare_facets(history, rows, differences)
    marks = {(r.uuid, mark.type, mark.time) for r in records for mark in r.marks if not mark.flags & LOST}
    return Recount(
        len(rows), counters, rollups, facets, differences, {task.uuid: task for task in rows}, marks
    )


def _read_rows(history: sqlite3.Connection, differences: list[str]) -> tuple[list[Task], list[Record]]:
    """Every row, and its record; a shown field that is not what the marks tell is a difference."""
    errors: dict[str, list[TaskError]] = {}
    for uuid, *values in history.execute("SELECT uuid, time, rank, exception, traceback FROM task_errors"):
        errors.setdefault(uuid, []).append(TaskError(*values))
    rows, records = [], []
    columns = ", ".join(TASK_FIELDS)
    for *fields, marks in history.execute(f"SELECT {columns}, marks FROM tasks"):
        task = task_of(fields)
        record = as_record(task, unpack(task, marks))
        earlier = errors.pop(task.uuid, [])
        record = msgspec.structs.replace(record, errors=tuple(sorted({*earlier, *record.errors})))
        told = project(record)
        if told != task:
            wrong = [name for name in TASK_FIELDS if getattr(told, name) != getattr(task, name)]
            differences.append(f"row {task.uuid}: {', '.join(wrong)} are not what its marks tell")
        rows.append(task)
        records.append(record)
    if errors:
        differences.append(f"{len(errors)} tasks have errors but no row")
    return rows, records


def _compare(
    what: str, stored: Mapping[_K, object], counted: Mapping[_K, object], differences: list[str]
) -> None:
    differences += [
        f"{what} {key}: stored {stored.get(key)}, its rows make {counted.get(key)}"
        for key in stored.keys() | counted.keys()
        if stored.get(key) != counted.get(key)
    ]


def _compare_counters(history: sqlite3.Connection, totals: Totals, differences: list[str]) -> int:
    """task-* counters; those of worker events have no rows to be counted from."""
    stored: dict[tuple[str, str, str], int] = {}
    for worker, task, type_, count in history.execute("SELECT worker, task, type, n FROM counters"):
        if type_.startswith("task-"):
            stored[worker, task, type_] = count
    _compare("counter", stored, totals.counters, differences)
    return sum(stored.values())


def _compare_rollups(history: sqlite3.Connection, totals: Totals, differences: list[str]) -> int:
    progress = {
        kind: rest for kind, *rest in history.execute("SELECT kind, edge, next, label FROM rolled_up")
    }
    found: dict[RollupKey, Rollup] = {}
    for kind, label, span, start, data in history.execute(
        "SELECT kind, label, span, start, data FROM rollups"
    ):
        edge, next_, last = progress[kind]
        # later minutes are not in their hours and days yet
        is_later = start >= (next_ if last is not None and label <= last else edge)
        for wider in (60, 3600, 86400) if span == 60 and is_later else (span,):
            bucket = found.setdefault(RollupKey(kind, label, wider, start // wider * wider), Rollup())
            bucket.add(msgspec.msgpack.decode(data, type=Rollup))
    stored = {key: _plain(bucket) for key, bucket in found.items()}
    counted = {key: _plain(bucket) for key, bucket in with_longer_spans(totals.rollups).items() if bucket}
    _compare("rollup", stored, counted, differences)
    return len(stored)


def _plain(bucket: Rollup) -> tuple[object, ...]:
    """A bucket with its float sums rounded: they were added up in another order."""
    sketches = [
        (sorted(sketch.buckets.items()), round(sketch.sum, 4)) for sketch in (bucket.runtime, bucket.wait)
    ]
    return (sorted(bucket.counts.items()), *sketches)


def _compare_runtimes(history: sqlite3.Connection, totals: Totals, differences: list[str]) -> None:
    counted = {key: sum(times.values()) for key, times in totals.runtimes.items()}
    stored: Counter[tuple[str, str]] = Counter()
    for worker, task, data in history.execute("SELECT worker, task, data FROM runtimes"):
        buckets, _ = _runtimes(data)
        stored[worker, task] += sum(buckets)
    _compare("run times of", stored, {k: n for k, n in counted.items() if n}, differences)


def _runtimes(data: bytes) -> tuple[list[int], float]:
    value = msgspec.msgpack.decode(data)
    return (value["buckets"], value["sum"]) if isinstance(value, dict) else (value[0], value[1])


def _compare_facets(history: sqlite3.Connection, rows: list[Task], differences: list[str]) -> int:
    stored = {tuple(key): n for *key, n in history.execute("SELECT state, name, worker, n FROM facets")}
    grouped = {
        tuple(key): n
        for *key, n in history.execute(
            "SELECT state, coalesce(name, ''), coalesce(worker, ''), count(*) FROM tasks GROUP BY 1, 2, 3"
        )
    }
    _compare("facet", stored, grouped, differences)
    if sum(grouped.values()) != len(rows):
        differences.append(f"{len(rows)} rows read, {sum(grouped.values())} grouped")
    return len(stored)
