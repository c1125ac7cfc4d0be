"""One SQLite file with one owner: opening, checking, migrating, transactions, and a new file for a damaged one.

`store.sqlite_writer` runs everything through `OwnedFile.select`, `OwnedFile.glance` and `OwnedFile.transact`.
"""

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from umbel.errors import StoreError, StoreRefused, StoreUnavailable
from umbel.store.checkpointer import Checkpointer
from umbel.store.glance import Glance
from umbel.store.migrate import migrate
from umbel.store.schema import HISTORY, PARTITION
from umbel.store.sqlite_file import (
    APPLICATION_ID,
    CHECKED_BYTES,
    Alive,
    Content,
    Damaged,
    FileLock,
    identity,
    inspect,
    is_cut,
    move_aside,
    translated,
)

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

#: A file that is damaged again within this many seconds of the last time is not replaced: the disk is at fault.
REPLACE_INTERVAL = 600.0
#: Seconds to wait for another connection's lock on the file (a backup, someone's sqlite3 shell).
BUSY_TIMEOUT = 5.0
#: What there is an index of.
_PROBED = (
    *(("id",), ("updated",), ("state",), ("name",), ("worker",), ("received",), ("started",)),
    (PARTITION, "uuid"),
    (PARTITION, "runtime"),
)


class OwnedFile:
    """The file at `path`, locked from `open` to `close`. Methods may be called from any thread; one runs at a time.

    Args:
        max_bytes: A hard bound of the file's size, None for the disk's.
        clock: Epoch seconds UTC.
        on_reset: Called whenever what was read before may no longer be what is stored.
    """

    def __init__(
        self, path: Path, *, max_bytes: int | None, clock: Callable[[], float], on_reset: Callable[[], None]
    ) -> None:
        self.path = path
        self.mutex = threading.RLock()
        #: What had to be done to the file, each a sentence for people.
        self.notices: list[str] = []
        self._max_bytes = max_bytes
        self._clock = clock
        self._on_reset = on_reset
        self._lock = FileLock(path)
        self._locked = False
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._glance = Glance(path)
        self._checkpointer = Checkpointer(path)
        self._replaced_at: float | None = None

    @property
    def identity(self) -> tuple[int, int] | None:
        """Which file is written."""
        return self._identity

    def is_current(self) -> bool:
        """The file that is written still lies at the path."""
        return identity(self.path) == self._identity

    def write_alive(self, alive: Alive | None) -> None:
        """Note beside the file that what was written last still holds."""
        self._lock.write_alive(alive)

    def open(self) -> None:
        """Lock, repair or create, and migrate. Safe to call twice; raises as `HistoryWriter.open`."""
        with self.mutex:
            if self._locked:
                return
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as exc:
                raise StoreUnavailable(f"Cannot make the folder {self.path.parent}: {exc.strerror}") from exc
            # before the lock makes its file, for that would make a foreign file look like ours
            self._refuse_foreign()
            self._lock.acquire()
            self._locked = True
            try:
                self._open_file()
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Checkpoint, close and unlock. Safe to call twice."""
        with self.mutex:
            self._checkpointer.settle()
            if self._connection is not None:
                try:
                    self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                except sqlite3.Error as exc:
                    logger.warning("The history %s was closed without a checkpoint: %s", self.path, exc)
            self._disconnect()
            self._glance.close()
            self._lock.release()
            self._locked = False

    def release(self) -> None:
        """Empty the page caches: what is wanted again is read again, out of the system's cache as a rule. The log is
        copied back and cut off, unless somebody reads just now."""
        self._glance.release_memory()
        with self.mutex:
            if self._connection is None:
                return
            self._checkpointer.settle()
            self._connection.execute("PRAGMA shrink_memory")
            self._connection.execute("PRAGMA busy_timeout = 0").fetchone()
            try:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.Error as exc:
                logger.warning("The log of the history %s could not be copied back: %s", self.path, exc)
            finally:
                self._connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT * 1000)}").fetchone()

    def select(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """All rows of one query."""
        return self._run(lambda connection: connection.execute(sql, parameters).fetchall())

    def glance(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """All rows of one query, as last committed: it does not wait for a transaction that is being made."""
        rows = self._glance.read(self._identity, sql, parameters)
        # `select` knows what to do about a file that is damaged or gone
        return self.select(sql, parameters) if rows is None else rows

    def transact(self, work: Callable[[sqlite3.Cursor], _T]) -> _T:
        """Run `work` in one transaction: all of it is stored, or nothing. A damaged file is replaced by a new
        one first and `work` run on that."""
        return self._run(lambda connection: self._transaction(connection, work))

    def _run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        with self.mutex:
            connection = self._current()
            try:
                with translated(self.path):
                    return work(connection)
            except Damaged as exc:
                if self._replaced_at is not None and self._clock() - self._replaced_at < REPLACE_INTERVAL:
                    raise StoreUnavailable(
                        f"The history is damaged again, the disk may be failing: {exc}"
                    ) from exc
                self._disconnect()
                self._replace(str(exc))
                connection = self._reopen()
            try:
                with translated(self.path):
                    return work(connection)
            except Damaged as again:
                raise StoreUnavailable(f"A new history is damaged at once: {again}") from again

    def _transaction(self, connection: sqlite3.Connection, work: Callable[[sqlite3.Cursor], _T]) -> _T:
        cursor = connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            result = work(cursor)
            connection.commit()
        except BaseException:
            self._on_reset()
            if connection.in_transaction:
                connection.rollback()
            raise
        self._checkpointer.note_commit(connection)
        return result

    def _current(self) -> sqlite3.Connection:
        """The connection to the file that lies at the path now: it may have been deleted or swapped under us."""
        if not self._locked:
            raise StoreUnavailable(f"The history {self.path} is not open")
        if self._connection is not None and identity(self.path) == self._identity:
            return self._connection
        if self._connection is not None:
            logger.warning("The history %s was removed or replaced; it is opened anew", self.path)
            self._disconnect()
        return self._reopen()

    def _reopen(self) -> sqlite3.Connection:
        try:
            self._refuse_foreign()
            self._open_file()
        except StoreUnavailable:
            raise
        except StoreError as exc:
            raise StoreUnavailable(str(exc)) from exc
        assert self._connection is not None
        return self._connection

    def _refuse_foreign(self) -> None:
        if inspect(self.path) is Content.FOREIGN:
            raise StoreRefused(
                f"{self.path} is not a history of Umbel; it was left alone: choose another --db"
            )

    def _open_file(self) -> None:
        """Connect to a sound, current history: the one that is there, or a new one in its place."""
        content = inspect(self.path)
        try:
            if content is Content.DAMAGED or (content is Content.OURS and is_cut(self.path)):
                raise Damaged("it is cut short or overwritten")
            self._connect(new=content is Content.NOTHING)
        except Damaged as exc:
            self._disconnect()
            self._replace(str(exc))
            try:
                self._connect(new=True)
            except Damaged as again:
                self._disconnect()
                raise StoreUnavailable(f"A new history is damaged at once: {again}") from again

    def _connect(self, *, new: bool) -> None:
        try:
            # made here, so that nobody else can read what tasks are about
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as exc:
            raise StoreUnavailable(f"Cannot write {self.path}: {exc.strerror}") from exc
        try:
            with translated(self.path):
                self._connection = connection = sqlite3.connect(
                    self.path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
                )
                _set_up(connection, new=new, max_bytes=self._max_bytes)
                _migrate(self.path)
                _check(connection, self.path)
        except StoreError:
            self._disconnect()
            raise
        self._identity = identity(self.path)
        self._on_reset()

    def _replace(self, reason: str) -> None:
        """Move the damaged file aside; the caller begins a new one."""
        aside = move_aside(self.path, self._clock())
        self._replaced_at = self._clock()
        notice = f"The history {self.path} was damaged and moved aside to {aside.name}; a new one was begun."
        logger.error("%s Reason: %s", notice, reason)
        self.notices.append(notice)

    def _disconnect(self) -> None:
        self._checkpointer.settle()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._on_reset()


def _set_up(connection: sqlite3.Connection, *, new: bool, max_bytes: int | None) -> None:
    if new:
        # all must stand in the very first page; larger pages hold rows of 1 kB with less waste
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.execute("PRAGMA synchronous = NORMAL")
    # Debian's SQLite fills what is deleted with zeros, whole free pages too: retention then writes half as much again
    connection.execute("PRAGMA secure_delete = FAST").fetchone()
    # Ids and run times come in no order, so a large transaction changes most pages of a partition of two indexes. They
    # should fit into the cache, and be copied out of the log less often than they change.
    connection.execute("PRAGMA wal_autocheckpoint = 0").fetchone()  # `Checkpointer` does it
    connection.execute("PRAGMA cache_size = -49152")
    connection.execute("PRAGMA journal_size_limit = 0").fetchone()
    if max_bytes is not None:
        page_size = connection.execute("PRAGMA page_size").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {max_bytes // page_size}").fetchone()


def _migrate(path: Path) -> None:
    url = sa.URL.create("sqlite", database=str(path))
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"isolation_level": None})
    # without it the driver would run each statement of a migration as a transaction of its own
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.begin() as connection:
        migrate(connection, str(path), HISTORY)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Small files page by page; of large ones both ends of each index, for a start must not take minutes."""
    if path.stat().st_size <= CHECKED_BYTES:
        result = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if result != "ok":
            raise Damaged(result)
        return
    for columns in _PROBED:
        for direction in ("ASC", "DESC"):
            order = ", ".join(f"{column} {direction}" for column in columns)
            connection.execute(f"SELECT {', '.join(columns)} FROM tasks ORDER BY {order} LIMIT 1").fetchone()
