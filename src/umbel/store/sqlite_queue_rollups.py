"""The figures of queues over time in an SQLite history: how samples go into time buckets, and how these are read.

The writer's part works in the caller's transaction; SQLite itself merges, so nothing is remembered between writes.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from umbel.model.queue import FIGURES, LONGEST_NAME, QueueBucket, QueueSample, Spread
from umbel.model.rollup import SPANS
from umbel.store.sqlite_bulk import insert_rows

_STATS = ("last", "min", "max", "mean", "seconds")
_COLUMNS = tuple(f"{figure}_{stat}" for figure in FIGURES for stat in _STATS)
_INSERT = f"INSERT INTO queue_rollups (span, queue, start, {', '.join(_COLUMNS)})"


def _merge(figure: str) -> str:
    """The assignments that bring a new value of one figure to what is there; either may be unknown."""
    last, least, most, mean, seconds = (f"{figure}_{stat}" for stat in _STATS)
    return (
        f"{last} = coalesce(excluded.{last}, {last}), "
        f"{least} = min(coalesce({least}, excluded.{least}), coalesce(excluded.{least}, {least})), "
        f"{most} = max(coalesce({most}, excluded.{most}), coalesce(excluded.{most}, {most})), "
        f"{mean} = CASE WHEN excluded.{mean} IS NULL THEN {mean} WHEN {mean} IS NULL THEN excluded.{mean} "
        f"ELSE ({mean} * {seconds} + excluded.{mean} * excluded.{seconds}) / ({seconds} + excluded.{seconds}) END, "
        f"{seconds} = {seconds} + excluded.{seconds}"
    )


_OR_MERGE = "ON CONFLICT (span, queue, start) DO UPDATE SET " + ", ".join(map(_merge, FIGURES))

_READ = ", ".join(column for column in _COLUMNS if not column.endswith("_seconds"))
#: Buckets of the queues that are named in a JSON list.
BUCKETS = (
    f"SELECT queue, start, {_READ} FROM queue_rollups WHERE span = :span "
    "AND queue IN (SELECT value FROM json_each(:queues)) AND start >= :start AND start < :end ORDER BY start, queue"
)
#: The queues that were longest within a time.
LARGEST = (
    "SELECT queue FROM queue_rollups WHERE span = :span AND start >= :start AND start < :end "
    "GROUP BY queue ORDER BY max(messages_max) DESC, queue LIMIT :limit"
)
#: Seconds from which on the longest queues are found by their hours: sixty times fewer rows.
RANK_BY_HOURS = 6 * 3600


def write_samples(cursor: sqlite3.Cursor, samples: Iterable[QueueSample]) -> None:
    """Bring samples, in the order of their times, into the buckets of a minute, an hour and a day."""
    rows = [
        (span, sample.queue, int(sample.time // span) * span, *values)
        for sample in samples
        if 0 < len(sample.queue.encode("utf-8", "replace")) <= LONGEST_NAME
        for values in [_values(sample)]
        for span in SPANS
    ]
    if rows:
        insert_rows(cursor, _INSERT, rows, _OR_MERGE)


def _values(sample: QueueSample) -> list[float | None]:
    values: list[float | None] = []
    for figure in FIGURES:
        value = getattr(sample, figure)
        values += [value] * 4
        # a mean of nothing has no weight
        values.append(0.0 if value is None else max(sample.seconds, 0.001))
    return values


def bucket_of(row: Sequence[Any]) -> QueueBucket:
    """The bucket of a row of `BUCKETS`."""
    queue, start, *stats = row
    spreads = {
        figure: None if stats[4 * place] is None else Spread(*stats[4 * place : 4 * place + 4])
        for place, figure in enumerate(FIGURES)
    }
    return QueueBucket(queue=queue, start=start, **spreads)
