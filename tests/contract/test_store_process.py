"""The contract of a history that another process writes, and what becomes of it when either side ends.

For the contract the far side is a thread of this process.
"""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.store_contract import StoreContract
from tests.contract.store_queue_contract import StoreQueueContract
from tests.contract.store_retention_contract import StoreRetentionContract
from tests.contract.teller import BUCKETS, EPOCH, Teller, received, succeeded
from tests.servers.process import wait_for
from umbel.errors import StoreEnded, StoreLocked, StoreUnavailable
from umbel.model.fold import fold, project
from umbel.store.base import Changes, TaskChange
from umbel.store.retention import Limits
from umbel.store.sqlite_writer import SQLiteWriter
from umbel.store.writer_process import WriterFault, WriterProcess, serve


def write_from_a_thread(path: Path, limits: Limits) -> WriterProcess:
    near, far = socket.socketpair()
    there = SQLiteWriter(path, limits=limits, buckets=BUCKETS, clock=lambda: EPOCH)

    def live() -> None:
        with far:
            serve(far, there)

    thread = threading.Thread(target=live, daemon=True)
    thread.start()
    return WriterProcess(path, near, join=lambda: thread.join(10.0))


@pytest.fixture
def writer(tmp_path: Path, limits: Limits) -> Iterator[WriterProcess]:
    writer = write_from_a_thread(tmp_path / "h.sqlite3", limits)
    writer.open()
    yield writer
    writer.close()


class TestStore(StoreContract):
    """Rows, sums, feed, gaps and status."""


class TestQueues(StoreQueueContract):
    """Figures of queues over time."""


class TestRetention(StoreRetentionContract):
    """What a history lets go of."""


def test_lives_are_the_same_when_the_file_cannot_be_read_from_here(
    writer: WriterProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = [*received("twice"), *(e for e in succeeded("other"))]
    Teller(writer).tell(failed)
    here = writer.fetch_lives(["twice", "other", "unknown"])
    monkeypatch.setattr("umbel.store.glance.identity", lambda path: None)
    there = writer.fetch_lives(["twice", "other", "unknown"])
    assert there == here
    assert set(there) == {"twice", "other"}


def test_known_ids_are_read_as_soon_as_the_file_is_open(
    writer: WriterProcess, tmp_path: Path, limits: Limits
) -> None:
    Teller(writer).tell(received("a"))
    writer.close()
    again = write_from_a_thread(tmp_path / "h.sqlite3", limits)
    again.open()
    try:
        wait_for(lambda: again._ids._known is not None)
        written = again._now.identity
        assert again._ids.sift(["a"], written) == ["a"] and again._ids.sift(["new"], written) == []
    finally:
        again.close()


def test_errors_of_the_store_come_back_as_what_they_are(writer: WriterProcess, tmp_path: Path) -> None:
    second = write_from_a_thread(tmp_path / "h.sqlite3", Limits())
    with pytest.raises(StoreLocked, match=f"is written by process {os.getpid()}"):
        second.open()
    with pytest.raises(StoreUnavailable, match="is not open"):
        second.fetch_workers()
    second.close()


def test_a_fault_of_ours_comes_back_and_leaves_the_writer_alive(writer: WriterProcess) -> None:
    record = fold(None, received("bad"))
    broken = TaskChange(None, project(record), record)
    broken.after.updated = float("nan")
    with pytest.raises(WriterFault, match="IntegrityError"):
        writer.write(Changes(tasks=[broken]))
    Teller(writer).tell(received("good"))
    assert set(writer.fetch_lives(["bad", "good"])) == {"good"}


PARENT = """
import sys, time
from pathlib import Path
from tests.contract.teller import BUCKETS, Teller, received
from umbel.store.retention import Limits
from umbel.store.sqlite_writer import SQLiteWriter
from umbel.store.writer_process import start_writer

path = Path(sys.argv[1])
writer = start_writer(path, lambda: SQLiteWriter(path, limits=Limits(), buckets=BUCKETS))
writer.open()
Teller(writer).tell(received("u"))
print("told", flush=True)
for line in sys.stdin:
    try:
        Teller(writer).tell(received(line.strip()))
        print("told", flush=True)
    except Exception as error:
        print(type(error).__name__, flush=True)
writer.close()
"""


def begin(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "told\n"
    return process


def find_child(process: subprocess.Popen[str]) -> int:
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
class TestEnds:
    """Neither side outlives the other."""

    def test_its_end_is_told(self, tmp_path: Path) -> None:
        process = begin(tmp_path / "h.sqlite3")
        os.kill(find_child(process), signal.SIGKILL)
        output, _ = process.communicate("a\nb\n", timeout=20)
        assert output.split() == [StoreEnded.__name__, StoreEnded.__name__]
        assert process.returncode == 0, "and closing does not fail"

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_signals_to_all_do_not_end_it(self, tmp_path: Path, number: signal.Signals) -> None:
        process = begin(tmp_path / "h.sqlite3")
        child = find_child(process)
        os.kill(child, number)
        output, _ = process.communicate("a\n", timeout=20)
        assert output.split() == ["told"]
        assert not is_running(child)

    def test_it_ends_with_its_parent_and_another_one_can_write(self, tmp_path: Path) -> None:
        path = tmp_path / "h.sqlite3"
        process = begin(path)
        child = find_child(process)
        process.kill()
        process.communicate(timeout=20)
        wait_for(lambda: not is_running(child), 10.0)
        with closing(sqlite3.connect(path)) as connection, connection:
            assert connection.execute("SELECT uuid FROM tasks").fetchall() == [("u",)]
        process = begin(path)
        process.communicate("a\n", timeout=20)
        assert process.returncode == 0
