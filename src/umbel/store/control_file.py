"""`control.sqlite3`: what the web side remembers, beside the history and apart from it, so that damage to one never
takes the other along. Opened, checked, migrated and, when damaged, begun anew here; `store.audit` says what is in it.

Several web processes may use the file at once; a transaction is short, and waits for another's.
"""

import fcntl
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from umbel.errors import StoreLocked, StoreRefused, StoreUnavailable
from umbel.store.control_schema import CONTROL
from umbel.store.migrate import migrate
from umbel.store.sqlite_file import (
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

FILE_NAME = "control.sqlite3"
#: "Umbc" in SQLite's header.
CONTROL_ID = 0x556D6263
#: Seconds to wait for another process's transaction, or for it to make the file.
BUSY_TIMEOUT = 5.0
#: Processes with one file that are told apart by small numbers.
MAX_SLOTS = 100


class ControlFile:
    """The file at `path`. Methods may be called from any thread; the file is opened at the first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mutex = threading.Lock()
        self._engine: sa.Engine | None = None
        self._identity: tuple[int, int] | None = None

    def open(self) -> None:
        """Make, check and migrate the file where that is needed; safe to call again.

        Raises:
            StoreRefused: What lies there is not ours, or of a newer version; it was left alone.
            StoreUnavailable: It can't be made, read or written now.
        """
        with self._mutex:
            if self._engine is None or identity(self.path) != self._identity:
                self._close()
                self._open()

    def close(self) -> None:
        """Let the file go. Safe to call twice."""
        with self._mutex:
            self._close()

    @contextmanager
    def slot(self) -> Iterator[int]:
        """The lowest number that no other process with this file has, for as long as the block lasts."""
        for number in range(MAX_SLOTS):
            lock = FileLock(Path(f"{self.path}.{number}"))
            try:
                lock.acquire()
            except StoreLocked:
                continue
            try:
                yield number
            finally:
                lock.release()
            return
        lock = FileLock(Path(f"{self.path}.{os.getpid() + MAX_SLOTS}"))
        lock.acquire()
        try:
            yield os.getpid() + MAX_SLOTS
        finally:
            lock.release()

    def is_slot_held(self, number: int) -> bool:
        """Whether a living process, this one included, has that number. Raises StoreUnavailable."""
        lock = FileLock(Path(f"{self.path}.{number}"))
        try:
            lock.acquire()
        except StoreLocked:
            return True
        lock.release()
        return False

    def has_ended(self, server: int, own: int) -> bool:
        """Whether the process that had this number is gone, as the process with the number `own` sees it."""
        return server == own or not self.is_slot_held(server)

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """One transaction that writes: all of it is on disk when the block ends, or nothing.

        Raises:
            StoreError: As `open`; also a full disk, or another process that holds the file for too long.
        """
        self.open()
        assert self._engine is not None
        try:
            with translated(self.path), self._engine.begin() as connection:
                yield connection
        except Damaged as exc:
            # the next call finds it damaged, moves it aside and begins a new one
            self.close()
            raise StoreUnavailable(str(exc)) from exc

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked():
                self._open_or_replace()
        except OSError as exc:
            raise StoreUnavailable(f"{self.path} cannot be used: {exc.strerror or exc}") from exc
        self._identity = identity(self.path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time opens the file; the lock file also shows that damaged content was ours."""
        # not yet: a lock file of our own would make a foreign file look like ours; where there is one already, another
        # process may be making the file, which does not bear our mark from its first byte on
        if not Path(f"{self.path}.lock").exists():
            self._refuse_foreign(inspect(self.path, CONTROL_ID))
        descriptor = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        until = time.monotonic() + BUSY_TIMEOUT
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as exc:
                    if time.monotonic() > until:
                        raise StoreUnavailable(f"{self.path} is being opened by another process") from exc
                    time.sleep(0.05)
            yield
        finally:
            os.close(descriptor)

    def _refuse_foreign(self, content: Content) -> None:
        if content is Content.FOREIGN:
            raise StoreRefused(f"{self.path} is not a file of Umbel; it was left alone: choose another --db")

    def _open_or_replace(self) -> None:
        content = inspect(self.path, CONTROL_ID)
        self._refuse_foreign(content)
        try:
            if content is Content.DAMAGED or (content is Content.OURS and is_cut(self.path)):
                raise Damaged("it is cut short or overwritten")
            self._connect()
        except Damaged as exc:
            self._close()
            aside = move_aside(self.path, time.time())
            logger.error(
                "%s was damaged and moved aside to %s; a new one was begun: %s", self.path, aside.name, exc
            )
            try:
                self._connect()
            except Damaged as again:
                raise StoreUnavailable(f"A new {self.path} is damaged at once: {again}") from again

    def _connect(self) -> None:
        # made here, so that nobody else can read it
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with translated(self.path):
            _set_up(self.path)
            self._engine = _engine(self.path)
            with self._engine.begin() as connection:
                migrate(connection, str(self.path), CONTROL)

    def _close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None


def _set_up(path: Path) -> None:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
    try:
        if not path.stat().st_size:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute(f"PRAGMA application_id = {CONTROL_ID}")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        result = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if result != "ok":
            raise Damaged(result)
    finally:
        connection.close()


def _engine(path: Path) -> sa.Engine:
    url = sa.URL.create("sqlite", database=str(path))
    options = {"isolation_level": None, "timeout": BUSY_TIMEOUT, "check_same_thread": False}
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=options)
    # a row is on disk before its command is sent, whatever happens to the machine then
    sa.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = FULL"))
    # without it the driver would run each statement as a transaction of its own
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine
