"""Many rows in one statement, so that SQLite works on all of them while other threads run.

`executemany` hands over the interpreter's lock at each row and waits to get it back, up to a switch interval each time
when another thread computes. One statement for many rows does so once. Used by the writer's modules.
"""

import sqlite3
from collections.abc import Sequence
from functools import cache
from typing import Any

#: Rows of one statement, greatest first: few sizes, so that prepared statements are met again.
_SIZES = (128, 32, 4, 1)
MOST_ROWS = _SIZES[0]
#: SQLite's own limit since 3.32.
_MOST_VARIABLES = 32_000

#: What stands for None: SQLite stores NaN as NULL, and the driver binds a float at once. For each None, bool and bytes
#: it looks for an adapter first, 0.1 µs where there is one and 0.25 where there is none; a row has twenty of them.
_NULL = float("nan")
# these give back what they are given
sqlite3.register_adapter(bool, int)
sqlite3.register_adapter(bytes, bytes)


def insert_rows(cursor: sqlite3.Cursor, head: str, rows: Sequence[Sequence[Any]], tail: str = "") -> int:
    """Run `head VALUES rows tail`; return how many rows were inserted or updated."""
    return _run(cursor, rows, lambda count: _insert(head, len(rows[0]), count, tail))


def update_rows(
    cursor: sqlite3.Cursor, table: str, columns: tuple[str, ...], key: str, rows: Sequence[Sequence[Any]]
) -> int:
    """Set `columns` of the rows whose `key` is each row's last value; return how many there were."""
    return _run(cursor, rows, lambda count: _update(table, columns, key, count))


def _run(cursor: sqlite3.Cursor, rows: Sequence[Sequence[Any]], statement: Any) -> int:
    changed = done = 0
    while done < len(rows):
        left = len(rows) - done
        size = next(s for s in _SIZES if s <= left and s * len(rows[0]) <= _MOST_VARIABLES)
        part = rows[done : done + size]
        values = [_NULL if value is None else value for row in part for value in row]
        cursor.execute(statement(size), values)
        changed += cursor.rowcount
        done += size
    return changed


@cache
def _insert(head: str, width: int, count: int, tail: str) -> str:
    return f"{head} VALUES {_places(width, count)} {tail}"


@cache
def _update(table: str, columns: tuple[str, ...], key: str, count: int) -> str:
    # no WITH in front: the driver counts the rows of a statement that begins with UPDATE only
    values = ", ".join(f"{column} = _new.column{number}" for number, column in enumerate(columns, 1))
    rows = f"(VALUES {_places(len(columns) + 1, count)}) AS _new"
    return f"UPDATE OR ROLLBACK {table} SET {values} FROM {rows} WHERE {table}.{key} = _new.column{len(columns) + 1}"


def _places(width: int, count: int) -> str:
    return ", ".join([f"({', '.join('?' * width)})"] * count)
