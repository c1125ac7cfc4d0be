"""Sums that grow by differences and are stored as absolute values: time buckets and run-time histograms.

The open ones stay in memory, so that a flush writes them without reading. Owned by a history's writer, which
must call `forget` when a transaction was undone.
"""

import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from umbel.model.rollup import SPANS, Rollup, RollupKey
from umbel.model.wait import WAIT_BOUNDS
from umbel.store.base import Runtimes
from umbel.store.sqlite_bulk import insert_rows

_K = TypeVar("_K")
_V = TypeVar("_V")

#: Sums kept in memory; beyond it the ones used longest ago are read again when needed.
CACHE_SIZE = 20_000


class Totals(Generic[_K, _V]):
    """Absolute values by key, in a table with a `data` column.

    `merge(total, difference)` returns the new total, None when nothing is left of it.
    """

    def __init__(
        self,
        table: str,
        key_columns: tuple[str, ...],
        *,
        key_values: Callable[[_K], tuple[Any, ...]],
        decode: Callable[[bytes], _V],
        merge: Callable[[_V | None, _V], _V | None],
    ) -> None:
        where = " AND ".join(f"{column} = ?" for column in key_columns)
        columns = ", ".join(key_columns)
        self._select = f"SELECT data FROM {table} WHERE {where}"
        self._delete = f"DELETE FROM {table} WHERE {where}"
        self._insert = f"INSERT INTO {table} ({columns}, data)"
        self._or_update = f"ON CONFLICT ({columns}) DO UPDATE SET data = excluded.data"
        self._key_values = key_values
        self._decode = decode
        self._merge = merge
        self._encode = msgspec.msgpack.Encoder().encode
        self._known: dict[_K, _V | None] = {}

    def add(self, cursor: sqlite3.Cursor, differences: Mapping[_K, _V], *, remember: bool = True) -> None:
        """Add `differences` to the stored values within the caller's transaction; `remember` the sums for the next."""
        kept: list[tuple[Any, ...]] = []
        emptied: list[tuple[Any, ...]] = []
        for key, difference in differences.items():
            values = self._key_values(key)
            total = self._merge(self._fetch(cursor, key, values), difference)
            if remember:
                self._known[key] = total
            if total is None:
                emptied.append(values)
            else:
                kept.append((*values, self._encode(total)))
        if kept:
            insert_rows(cursor, self._insert, kept, self._or_update)
        if emptied:
            cursor.executemany(self._delete, emptied)
        while len(self._known) > CACHE_SIZE:
            del self._known[next(iter(self._known))]

    def forget(self) -> None:
        """Drop what is in memory: the database is right."""
        self._known.clear()

    def keep(self, is_open: Callable[[_K], bool]) -> None:
        """Drop all but what is open."""
        self._known = {key: total for key, total in self._known.items() if is_open(key)}

    def _fetch(self, cursor: sqlite3.Cursor, key: _K, values: tuple[Any, ...]) -> _V | None:
        if key in self._known:
            # taken out, so that `add` puts it back as the youngest
            return self._known.pop(key)
        cursor.execute(self._select, values)
        row = cursor.fetchone()
        return None if row is None else self._decode(row[0])


def rollup_totals() -> Totals[RollupKey, Rollup]:
    """Time buckets by (span, kind, label, start)."""
    return Totals(
        "rollups",
        ("span", "kind", "label", "start"),
        key_values=lambda key: (key.span, key.kind, key.label, key.start),
        decode=msgspec.msgpack.Decoder(Rollup).decode,
        merge=_merge_rollups,
    )


def runtime_totals(buckets: tuple[float, ...]) -> Totals[tuple[str, str], Runtimes]:
    """Run-time histograms by (worker, task), for these upper bounds in seconds."""
    bounds = bounds_key(buckets)
    return Totals(
        "runtimes",
        ("bounds", "worker", "task"),
        key_values=lambda key: (bounds, *key),
        decode=msgspec.msgpack.Decoder(Runtimes).decode,
        merge=_merge_runtimes,
    )


def sort_runtimes(seen: Mapping[float, int], buckets: Sequence[float]) -> Runtimes:
    """Run times in seconds, each seen so many times, by the buckets' upper bounds."""
    counts = [0] * (len(buckets) + 1)
    for seconds, count in seen.items():
        counts[bisect_left(buckets, seconds)] += count
    return Runtimes(tuple(counts), sum(seconds * count for seconds, count in seen.items()))


def wait_totals() -> Totals[tuple[str, str], Runtimes]:
    """Histograms of waits by (basis, task)."""
    bounds = bounds_key(WAIT_BOUNDS)
    return Totals(
        "waits",
        ("bounds", "basis", "task"),
        key_values=lambda key: (bounds, *key),
        decode=msgspec.msgpack.Decoder(Runtimes).decode,
        merge=_merge_runtimes,
    )


def bounds_key(buckets: tuple[float, ...]) -> str:
    """What tells histograms of different bounds apart."""
    return ",".join(repr(float(bound)) for bound in buckets)


def longer_spans(minutes: Mapping[RollupKey, Rollup]) -> dict[RollupKey, Rollup]:
    """The differences of the hours and days that hold these minutes."""
    spread: dict[RollupKey, Rollup] = {}
    sums: set[RollupKey] = set()
    for key, difference in minutes.items():
        for span in SPANS[1:]:
            wider = RollupKey(key.kind, key.label, span, key.start // span * span)
            known = spread.get(wider)
            if known is None:
                # many stand alone, and what is only read may be the same for both spans
                spread[wider] = difference
            elif wider in sums:
                known.add(difference)
            else:
                sums.add(wider)
                spread[wider] = Rollup().add(known).add(difference)
    return spread


def _merge_rollups(total: Rollup | None, difference: Rollup) -> Rollup | None:
    total = (Rollup() if total is None else total).add(difference)
    return total or None


def _merge_runtimes(total: Runtimes | None, difference: Runtimes) -> Runtimes | None:
    if total is None:
        return difference
    counts = tuple(a + b for a, b in zip(total.buckets, difference.buckets, strict=True))
    return Runtimes(counts, total.sum + difference.sum) if any(counts) else None
