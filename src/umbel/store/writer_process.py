"""A writer in a process of its own, so that storing has an interpreter, and a core, to itself.

`start_writer` forks it; what it is asked goes over a pair of sockets, one call at a time. It ends with its parent,
however that ends, after the transaction that it is in. Used by `ingest.collector`.
"""

import logging
import os
import signal
import socket
import struct
import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from umbel import errors
from umbel.model.plain import Life
from umbel.model.queue import QueueSample
from umbel.model.redact import Redactor
from umbel.model.task import Task
from umbel.model.worker import Worker
from umbel.store.base import Changes, Gap, HistoryWriter, TaskChange
from umbel.store.glance import Glance
from umbel.store.heap import find_trim
from umbel.store.known_ids import KnownIds
from umbel.store.retention import Pruned
from umbel.store.sqlite_ids import TaskFinder
from umbel.store.sqlite_lives import read_lives
from umbel.store.sqlite_writer import SQLiteWriter
from umbel.store.status import CollectorStatus
from umbel.store.wire import decode_changes, encode_changes, pack_tasks

logger = logging.getLogger(__name__)

#: Lengths of a frame's two parts.
_HEAD = struct.Struct(">II")
#: What a socket may hold, in bytes: a chunk of rows is larger, so this is how much of it passes in one turn.
_SOCKET_BYTES = 1 << 20
#: Bytes of a body that are rather copied than sent apart.
_SMALL = 1 << 12

#: What may be asked besides `write` and `fetch_lives`: its arguments, and what it returns.
_CALLS: dict[str, tuple[Any, Any]] = {
    "open": (tuple[()], None),
    "close": (tuple[()], None),
    "release": (tuple[()], None),
    "fetch_workers": (tuple[()], dict[str, Worker]),
    "write_status": (tuple[CollectorStatus], None),
    "note_alive": (tuple[float, float | None], None),
    "fetch_last_alive": (tuple[()], float | None),
    "remember_queues": (tuple[list[str]], None),
    "write_queue_samples": (tuple[list[QueueSample]], None),
    "open_gap": (tuple[Gap], int),
    "close_gap": (tuple[int, float, bool | None], None),
    "fetch_open_gaps": (tuple[()], list[Gap]),
    "fetch_open_tasks": (tuple[str, int], list[Task]),
    "fetch_stale_tasks": (tuple[float, int], list[Task]),
    "prune": (tuple[float, bool], Pruned),
    "prune_some": (tuple[float, float], bool),
}
_encode = msgspec.msgpack.Encoder().encode


class WriterFault(Exception):
    """The writer raised what is no StoreError: the fault is in what it was given, or in us."""


class _Answer(msgspec.Struct, array_like=True):
    """What comes back with every result: how the history is now, and what went wrong."""

    feed: int
    identity: tuple[int, int] | None
    notices: list[str]
    #: Name of the StoreError, "" for any other exception; None when all went well.
    error: str | None = None
    message: str = ""


class WriterProcess(HistoryWriter):
    """The near side. Methods may be called from any thread; one is asked at a time.

    All raise StoreEnded once the process has ended.
    """

    def __init__(self, path: Path, line: socket.socket, join: Callable[[], object]) -> None:
        """`join` waits for the far side's end, after it was told to."""
        self._line = line
        self._join = join
        self._lock = threading.Lock()
        self._now = _Answer(0, None, [])
        self._ended = False
        self._glance = Glance(path)
        self._ids = KnownIds(path)
        self._finder = TaskFinder()
        self._results = {name: msgspec.msgpack.Decoder(result) for name, (_, result) in _CALLS.items()}
        self._answer = msgspec.msgpack.Decoder(_Answer).decode

    def open(self) -> None:
        self._call("open")
        self._ids.prepare(self._now.identity)

    def close(self) -> None:
        """Checkpoint, close and unlock, and end the process. Safe to call twice."""
        self._glance.close()
        self._ids.close()
        if self._line.fileno() < 0:
            return
        try:
            self._call("close")
        except errors.StoreEnded:
            logger.error("The process that writes the history had ended before it was closed.")
        self._ended = True
        self._line.close()
        self._join()

    def release(self) -> None:
        self._glance.release_memory()
        self._call("release")

    def get_feed_head(self) -> int:
        return self._now.feed

    def get_notices(self) -> list[str]:
        return list(self._now.notices)

    def fetch_lives(self, uuids: Collection[str]) -> dict[str, tuple[Task, Life]]:
        uuids = self._ids.sift(uuids, self._now.identity)
        if not uuids:
            return {}
        try:
            # read here: the other process may be in the middle of a transaction
            return read_lives(self._finder, self._look, uuids)
        except _Gone:
            steps = decode_changes(self._ask("fetch_lives", _encode(list(uuids)))).tasks
            return {step.after.uuid: (step.after, step.life) for step in steps}

    def _look(self, sql: str, parameters: Sequence[object]) -> list[Any]:
        rows = self._glance.read(self._now.identity, sql, parameters)
        if rows is None:
            raise _Gone
        return rows

    def fetch_workers(self) -> dict[str, Worker]:
        found: dict[str, Worker] = self._call("fetch_workers")
        return found

    def write(self, changes: Changes) -> int:
        tasks = pack_tasks(changes.tasks)
        self._ask("write", encode_changes(msgspec.structs.replace(changes, tasks=tasks)))
        self._ids.add(tasks.new)
        return self._now.feed

    def write_status(self, status: CollectorStatus) -> None:
        self._call("write_status", status)

    def note_alive(self, now: float, proof_at: float | None) -> None:
        self._call("note_alive", now, proof_at)

    def fetch_last_alive(self) -> float | None:
        found: float | None = self._call("fetch_last_alive")
        return found

    def remember_queues(self, names: Collection[str]) -> None:
        self._call("remember_queues", list(names))

    def write_queue_samples(self, samples: Sequence[QueueSample]) -> None:
        self._call("write_queue_samples", samples)

    def open_gap(self, gap: Gap) -> int:
        return int(self._call("open_gap", gap))

    def close_gap(self, gap_id: int, end: float, *, lossy: bool | None = None) -> None:
        self._call("close_gap", gap_id, end, lossy)

    def fetch_open_gaps(self) -> list[Gap]:
        return list(self._call("fetch_open_gaps"))

    def fetch_open_tasks(self, worker: str, *, limit: int) -> list[Task]:
        return list(self._call("fetch_open_tasks", worker, limit))

    def fetch_stale_tasks(self, before: float, *, limit: int) -> list[Task]:
        return list(self._call("fetch_stale_tasks", before, limit))

    def prune(self, *, now: float, dry_run: bool = False) -> Pruned:
        pruned: Pruned = self._call("prune", now, dry_run)
        return pruned

    def prune_some(self, *, now: float, seconds: float) -> bool:
        return bool(self._call("prune_some", now, seconds))

    def _call(self, name: str, *arguments: Any) -> Any:
        return self._results[name].decode(self._ask(name, _encode(arguments)))

    def _ask(self, name: str, body: bytes) -> bytes:
        """Have the other process do `name`; return the bytes of the result."""
        with self._lock:
            if self._ended:
                raise errors.StoreEnded("The process that writes the history has ended.")
            try:
                _send(self._line, name.encode(), body)
                head, result = _receive(self._line)
            except (OSError, EOFError) as error:
                self._ended = True
                raise errors.StoreEnded("The process that writes the history has ended.") from error
            self._now = answer = self._answer(head)
        if answer.error is None:
            return result
        known = getattr(errors, answer.error, None) if answer.error else None
        raise WriterFault(answer.message) if known is None else known(answer.message)


class _Gone(Exception):
    """The file that is written can't be read from here."""


def start_writer(
    path: Path, make: Callable[[], SQLiteWriter], redactor: Redactor | None = None
) -> WriterProcess:
    """Fork a process that does what `make`'s writer does, and masks by `redactor` what it is given raw. To be called
    while this process has one thread."""
    near, far = socket.socketpair()
    for end in (near, far):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BYTES)
    pid = os.fork()
    if pid == 0:
        near.close()
        _live(far, make, redactor)
    far.close()
    return WriterProcess(path, near, join=lambda: os.waitpid(pid, 0))


def _live(line: socket.socket, make: Callable[[], SQLiteWriter], redactor: Redactor | None) -> NoReturn:
    """The whole life of the process that writes."""
    code = 1
    try:
        # a Ctrl-C of the terminal reaches us too, but we end when we are told to, or with our parent
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        # who reads our parent's output must see its end, and nobody but our parent reads its input
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        serve(line, make(), redactor)
        code = 0
    except (EOFError, OSError):
        pass  # our parent has ended: like it, without a checkpoint
    except BaseException:
        logger.exception("The process that writes the history ends.")
    finally:
        os._exit(code)


def serve(line: socket.socket, writer: SQLiteWriter, redactor: Redactor | None = None) -> None:
    """Do what is asked at the other end of `line`, up to `close`. Raises EOFError when the other side has gone."""
    arguments = {name: msgspec.msgpack.Decoder(given) for name, (given, _) in _CALLS.items()}
    trim = find_trim()
    name = ""
    while name != "close":
        head, body = _receive(line)
        name = bytes(head).decode()
        result, error, message = b"", None, ""
        try:
            if name in arguments:
                result = _encode(_do(writer, name, arguments[name].decode(body)))
            else:
                result = _do_large(writer, name, body, redactor)
        except errors.StoreError as fault:
            error, message = type(fault).__name__, str(fault)
        except Exception as fault:  # see WriterFault
            logger.exception("The history could not do %s.", name)
            error, message = "", f"{type(fault).__name__}: {fault}"
        del body
        if name == "release":
            trim()
        state = _Answer(writer.get_feed_head(), writer.identity, writer.get_notices(), error, message)
        _send(line, _encode(state), result)


def _do(writer: SQLiteWriter, name: str, given: Sequence[Any]) -> Any:
    match name, given:
        case "close_gap", (gap, end, lossy):
            writer.close_gap(gap, end, lossy=lossy)
        case "fetch_open_tasks", (worker, limit):
            return writer.fetch_open_tasks(worker, limit=limit)
        case "fetch_stale_tasks", (before, limit):
            return writer.fetch_stale_tasks(before, limit=limit)
        case "prune", (now, dry_run):
            return writer.prune(now=now, dry_run=dry_run)
        case "prune_some", (now, seconds):
            return writer.prune_some(now=now, seconds=seconds)
        case _:
            return getattr(writer, name)(*given)
    return None


def _do_large(writer: SQLiteWriter, name: str, body: bytes, redactor: Redactor | None) -> bytes:
    """The two that carry tasks."""
    if name == "write":
        writer.write(decode_changes(body, redactor))
        return b""
    uuids = msgspec.msgpack.decode(body, type=list[str])
    found = writer.fetch_lives(uuids)
    return encode_changes(Changes(tasks=[TaskChange(None, task, life) for task, life in found.values()]))


def _send(line: socket.socket, head: bytes, body: bytes) -> None:
    start = _HEAD.pack(len(head), len(body)) + head
    if len(body) <= _SMALL:
        line.sendall(start + body)  # in one, for two would wake the other side twice
    else:
        line.sendall(start)
        line.sendall(body)


def _receive(line: socket.socket) -> tuple[bytes, bytes]:
    """The two parts of a frame. Raises EOFError when the other side has gone."""
    lengths = _HEAD.unpack(_read(line, _HEAD.size))
    head, body = (_read(line, length) for length in lengths)
    return head, body


def _read(line: socket.socket, length: int) -> bytes:
    data = bytearray(length)
    rest = memoryview(data)
    while rest:
        count = line.recv_into(rest)
        if not count:
            raise EOFError
        rest = rest[count:]
    return data  # type: ignore[return-value]  # whoever takes bytes here takes any buffer
