"""The file of an SQLite history: what lies there, whose it is, who writes it, and moving a damaged one aside.

Used by `store.sqlite_writer` (which owns the file), `store.sqlite_reader` and `store.place`.
"""

import fcntl
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from umbel.errors import StoreLocked, StoreRefused, StoreUnavailable
from umbel.store.status import CollectorStatus

#: "Umbe" in SQLite's header: this file is a history of ours.
APPLICATION_ID = 0x556D6265
_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100

#: The first SQLite with FTS5's trigrams.
OLDEST = (3, 34)

#: Files up to this size are checked page by page at open: 64 MiB take about 0.1 s.
CHECKED_BYTES = 64 * 1024 * 1024

#: SQLite's primary result codes for a file whose content is wrong. Nothing that we store comes near the gigabyte that
#: is too big: who reads such a length reads rubbish.
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_TOOBIG}
_OUR_FAULT = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)


def check_engine() -> None:
    """Raises StoreUnavailable if this Python's SQLite is too old for a history."""
    if sqlite3.sqlite_version_info < OLDEST:
        raise StoreUnavailable(
            f"SQLite {OLDEST[0]}.{OLDEST[1]} or newer is needed, and {sys.executable} has {sqlite3.sqlite_version}: "
            "take a Python that brings its own, such as those of uv, conda or Docker"
        )


class Content(Enum):
    """What lies at a path."""

    NOTHING = "nothing"
    OURS = "ours"
    #: A file of another program: never touched.
    FOREIGN = "foreign"
    #: Not readable as SQLite, but the lock file beside it shows that a history of ours was here.
    DAMAGED = "damaged"


def inspect(path: Path, application_id: int = APPLICATION_ID) -> Content:
    """Tell what lies at `path` from its header, without opening it as a database. Ours has `application_id` in it.

    Raises:
        StoreRefused: It is a directory or a device.
        StoreUnavailable: It cannot be read.
    """
    try:
        if path.exists() and not path.is_file():
            what = "a directory" if path.is_dir() else "not a file"
            raise StoreRefused(f"{path} is {what}; a file is needed there")
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return Content.NOTHING
    except OSError as exc:
        raise StoreUnavailable(f"Cannot read {path}: {exc.strerror}") from exc
    if not header:
        return Content.NOTHING
    if header.startswith(_MAGIC) and len(header) == _HEADER_BYTES:
        if int.from_bytes(header[68:72], "big") == application_id:
            return Content.OURS
        if _is_database(path):
            return Content.FOREIGN
    return Content.DAMAGED if _lock_path(path).exists() else Content.FOREIGN


def is_cut(path: Path) -> bool:
    """The file is shorter than its header says, and no write-ahead log holds the rest."""
    wal = Path(f"{path}-wal")
    if wal.exists() and wal.stat().st_size:
        return False
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    page_size = int.from_bytes(header[16:18], "big")
    page_size = 65536 if page_size == 1 else page_size
    return path.stat().st_size < page_size * int.from_bytes(header[28:32], "big")


def move_aside(path: Path, now: float) -> Path:
    """Rename a damaged file, with its log, to `<file>.damaged-<UTC stamp>`; return the new name."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    target = Path(f"{path}.damaged-{stamp}")
    number = 1
    while target.exists():
        number += 1
        target = Path(f"{path}.damaged-{stamp}-{number}")
    try:
        path.rename(target)
        for suffix in ("-wal", "-shm", "-journal"):
            if os.path.exists(f"{path}{suffix}"):
                os.rename(f"{path}{suffix}", f"{target}{suffix}")
    except OSError as exc:
        raise StoreUnavailable(f"{path} is damaged and cannot be moved aside: {exc.strerror}") from exc
    return target


def identity(path: Path) -> tuple[int, int] | None:
    """Device and inode: another value means another file under the same name. None when there is none."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return (stat.st_dev, stat.st_ino)


class Alive(NamedTuple):
    """The second line of the lock file: the status written last, at time `status`, still held at `time`, with the
    broker's last proof of life at `proof` (0.0: never). Epoch seconds."""

    status: float
    time: float
    proof: float


def read_alive(path: Path) -> Alive | None:
    """What the lock file of the history at `path` tells, None when nothing."""
    try:
        _, *values = _lock_path(path).read_text("ascii").split()
        return Alive(*map(float, values))
    except (OSError, ValueError, TypeError):
        return None


def as_last_held(path: Path, status: CollectorStatus) -> CollectorStatus:
    """The status, read from the history at `path`, as its writer last confirmed it.

    What it confirmed of another status does not count: then the file is an older copy.
    """
    alive = read_alive(path)
    if alive is None or abs(alive.status - status.time) > 1e-3:
        return status
    return msgspec.structs.replace(status, time=alive.time, proof_at=alive.proof or None)


class FileLock:
    """A kernel lock on `<file>.lock`, which holds the owner's pid. Gone with the process, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = _lock_path(path)
        self._history = path
        self._descriptor: int | None = None
        self._length = 0

    def acquire(self) -> None:
        """Raises StoreLocked with the pid of the owner."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise StoreUnavailable(f"Cannot lock {self._history}: {exc.strerror}") from exc
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            owner = (
                os.read(descriptor, 32).partition(b"\n")[0].decode("ascii", "replace") or "another process"
            )
            os.close(descriptor)
            raise StoreLocked(f"{self._history} is written by process {owner}") from exc
        self._descriptor = descriptor
        self.write_alive(read_alive(self._history))

    def write_alive(self, alive: Alive | None) -> None:
        """Replace the content. It is for people and for the next start: the lock holds without, on a full disk too."""
        if self._descriptor is None:
            return
        line = b"" if alive is None else b"%.6f %.6f %.6f\n" % alive
        with suppress(OSError):
            # in this order, and always as long, so that a reader never finds nothing
            length = os.pwrite(self._descriptor, b"%d\n%b" % (os.getpid(), line), 0)
            if length != self._length:
                os.ftruncate(self._descriptor, length)
                self._length = length

    def release(self) -> None:
        """Let another process write. The file stays: removing it would race with who opens it now."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Damaged(Exception):
    """SQLite, or our own check, found the file's content to be wrong. Never leaves the store."""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors, bare or wrapped by SQLAlchemy, become Damaged or StoreUnavailable.

    Those that the data or the statement is to blame for stay as they are: trying again would not help.
    """
    try:
        yield
    except (sqlite3.Error, sa.exc.DBAPIError) as exc:
        cause = exc.orig if isinstance(exc, sa.exc.DBAPIError) else exc
        code: int | None = getattr(cause, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in _DAMAGE:
            raise Damaged(f"{path}: {cause}") from exc
        if isinstance(cause, _OUR_FAULT):
            raise
        raise StoreUnavailable(f"{path} cannot be used: {cause}") from exc


def _is_database(path: Path) -> bool:
    """SQLite can read the schema; nothing is written, not even beside the file."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error:
        return False
    finally:
        connection.close()
    return True


def _lock_path(path: Path) -> Path:
    return Path(f"{path}.lock")
