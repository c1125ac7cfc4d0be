"""Builds a big history without a broker: `python -m benchmarks.history FILE --tasks 1000000`.

The first tasks go through the fold and the store's own writer, from the same events that `ingest` sends. Beyond `BASE`
finished rows are copied by SQL with ids of their own and later times: the same rows and indexes in a tenth of the time
(only the marks of retried tasks keep the times of their model). Used to measure how reading grows with the history.
"""

import argparse
import itertools
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from hashlib import blake2b
from pathlib import Path

import msgspec

from benchmarks.event_stream import EventStream
from umbel.ingest.settings import DEFAULT_BUCKETS
from umbel.ingest.transitions import fold_changes
from umbel.model.event import Event
from umbel.model.plain import Life
from umbel.model.rollup import Tally
from umbel.model.task import Task
from umbel.store.base import Changes
from umbel.store.retention import Limits
from umbel.store.sqlite_writer import SQLiteWriter

#: Tasks told event by event; more are copies.
BASE = 100_000
#: Events folded into one transaction: about 2,000 tasks.
CHUNK = 8_000
_TIMES = ("updated", "first_seen", "sent", "received", "started", "succeeded", "failed", "retried")


def build(path: Path, tasks: int, *, end: float) -> None:
    """Write a new history of about `tasks` tasks, the newest of them near epoch second `end`."""
    base = min(tasks, BASE)
    tell(path, base, end=end)
    if tasks > base:
        multiply(path, tasks)


def tell(path: Path, tasks: int, *, end: float) -> None:
    """Write `tasks` tasks from their events; those of the last moment are still under way."""
    stream = EventStream(end - tasks / 484, workers=20)  # 2,000 events a second, 4.13 a task
    writer = SQLiteWriter(path, limits=Limits(), buckets=DEFAULT_BUCKETS)
    writer.open()
    try:
        events = task_events(stream, tasks)
        open_: dict[str, tuple[Task, Life]] = {}
        while chunk := list(itertools.islice(events, CHUNK)):
            writer.write(changes_of(chunk, open_))
    finally:
        writer.close()


def task_events(stream: EventStream, tasks: int) -> Iterator[Event]:
    """The task events of the stream until `tasks` tasks were sent."""
    for message in stream:
        for event in message.events:
            if event["type"].startswith("task-"):
                yield msgspec.convert({**event, "received_at": event["timestamp"]}, Event)
        if stream.tasks >= tasks:
            return


def changes_of(events: list[Event], open_: dict[str, tuple[Task, Life]]) -> Changes:
    """What these events change; `open_` remembers unfinished tasks from chunk to chunk."""
    by_task: dict[str, list[Event]] = {}
    for event in events:
        by_task.setdefault(event.uuid or "", []).append(event)
    tally = Tally()
    changes = fold_changes([(open_.pop(task_id, None), told) for task_id, told in by_task.items()], tally)
    for change in changes:
        if not change.after.finished:
            open_[change.after.uuid] = (change.after, change.life)
    return Changes(tasks=list(changes), tally=tally)


def multiply(path: Path, tasks: int) -> None:
    """Copy the finished rows until there are `tasks` rows, each round later than the one before."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = -2000000")
        connection.execute("PRAGMA synchronous = OFF")
        connection.create_function("fresh", 2, fresh, deterministic=True)
        names = [row[1] for row in connection.execute("PRAGMA table_info(tasks)") if row[1] != "id"]
        last, held = connection.execute("SELECT max(id), count(*) FROM tasks").fetchone()
        span = connection.execute("SELECT max(updated) - min(updated) FROM tasks").fetchone()[0]
        sql = f"INSERT INTO tasks ({', '.join(names)}) SELECT {', '.join(map(copied, names))} FROM tasks \
            WHERE id <= :last AND finished ORDER BY id LIMIT :most"
        for number in itertools.count(1):
            if held >= tasks:
                break
            values = {"n": number, "shift": number * span, "last": last, "most": tasks - held}
            held += connection.execute(sql, values).rowcount
        connection.execute("DELETE FROM facets")
        connection.execute(
            "INSERT INTO facets SELECT state, coalesce(name, ''), coalesce(worker, ''), count(*) FROM tasks "
            "GROUP BY 1, 2, 3"
        )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def copied(name: str) -> str:
    """The SQL that gives a copy's value of this column."""
    if name == "uuid":
        return "fresh(uuid, :n)"
    return f"{name} + :shift" if name in _TIMES else name


def fresh(text: str, number: int) -> str:
    """An id made of another one."""
    return str(uuid.UUID(bytes=blake2b(f"{text}{number}".encode(), digest_size=16).digest(), version=4))


def main() -> None:
    """Build the history that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--tasks", type=int, default=BASE)
    options = parser.parse_args()
    build(options.file, options.tasks, end=time.time())
    print(f"{options.file}: {options.file.stat().st_size / options.tasks:.0f} bytes a task")


if __name__ == "__main__":
    main()
