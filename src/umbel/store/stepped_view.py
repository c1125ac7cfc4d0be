"""A view of a history on one connection, which becomes a new one between steps. Used by `store.sqlite_reader`."""

import sqlite3
import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

#: Seconds after which a reader of many rows begins a new transaction: a long one keeps the log from being emptied.
LONGEST_VIEW = 0.3


def driver_of(connection: sa.Connection) -> sqlite3.Connection:
    """The driver's connection, whose statements take a quarter of the time where they need not be made."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


class SteppedView:
    """`paging.View` on a connection. Thread: the caller's."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._driver = driver_of(connection)
        self._begin()

    def _begin(self) -> None:
        self._connection.begin()
        self._begun = time.monotonic()

    def fetch(self, statement: sa.Executable) -> Sequence[Any]:
        return self._connection.execute(statement).fetchall()

    def fetch_text(self, sql: str, parameters: tuple[object, ...]) -> Sequence[Any]:
        return self._driver.execute(sql, parameters).fetchall()

    def breathe(self) -> None:
        if time.monotonic() - self._begun > LONGEST_VIEW:
            self._connection.rollback()
            self._begin()
