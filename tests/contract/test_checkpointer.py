"""The write-ahead log of a history is copied back beside the writes, and stays small."""

import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from tests.contract.teller import BUCKETS, EPOCH, Teller, succeeded
from tests.servers.process import wait_for
from umbel.store import checkpointer
from umbel.store.checkpointer import Checkpointer
from umbel.store.retention import Limits
from umbel.store.sqlite_writer import SQLiteWriter

COPIED, MOST = 400_000, 1_200_000
#: More than an empty history has.
LEAST = 900_000


@pytest.fixture
def writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SQLiteWriter]:
    monkeypatch.setattr(checkpointer, "COPIED_BYTES", COPIED)
    monkeypatch.setattr(checkpointer, "MOST_BYTES", MOST)
    writer = SQLiteWriter(tmp_path / "h.sqlite3", limits=Limits(), buckets=BUCKETS, clock=lambda: EPOCH)
    writer.open()
    yield writer
    writer.close()


def fill(teller: Teller, chunks: int, *, settled: bool = False) -> list[int]:
    """Write so many chunks, each some 200 kB of the log; return its sizes after each.

    `settled`: the next one waits for what is copied.
    """
    log = Path(f"{teller.writer._file.path}-wal")  # type: ignore[attr-defined]
    sizes = []
    for _ in range(chunks):
        start = len(teller.records)
        teller.tell([e for n in range(start, start + 40) for e in succeeded(f"u{n}", args="a" * 900)])
        sizes.append(log.stat().st_size)
        if settled:
            teller.writer._file._checkpointer.settle()  # type: ignore[attr-defined]
    return sizes


def count_without_log(path: Path, copy: Path) -> int:
    """Rows in the file itself."""
    shutil.copy(path, copy)
    with closing(sqlite3.connect(copy)) as connection:
        return int(connection.execute("SELECT count(*) FROM tasks").fetchone()[0])


def test_the_log_is_copied_and_begins_anew(writer: SQLiteWriter, tmp_path: Path) -> None:
    teller = Teller(writer)
    sizes = fill(teller, 30, settled=True)
    assert max(sizes) >= COPIED
    assert any(after < before for before, after in pairwise(sizes))
    assert max(sizes) < MOST + COPIED
    writer._file._checkpointer.settle()
    assert count_without_log(tmp_path / "h.sqlite3", tmp_path / "copy") > 0
    with closing(sqlite3.connect(tmp_path / "h.sqlite3")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (1200,)


def test_beside_a_small_file_the_log_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpointer, "LEAST_COPIED_BYTES", LEAST)
    path = tmp_path / "h.sqlite3"
    with closing(SQLiteWriter(path, limits=Limits(), buckets=BUCKETS, clock=lambda: EPOCH)) as writer:
        writer.open()
        teller = Teller(writer)
        logs, files = [], []
        for _ in range(90):
            logs += fill(teller, 1, settled=True)
            files.append(path.stat().st_size)
    # it begins anew one or two chunks after it was copied
    chunks = 800_000
    assert all(log < max(LEAST, file) + chunks for log, file in zip(logs, files, strict=True))
    assert all(before >= LEAST for before, after in pairwise(logs) if after < before)
    # as large as the file, which is larger by then
    assert max(logs) > 2 * LEAST


def test_commits_do_not_wait_for_the_copy_until_the_log_is_long(
    writer: SQLiteWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[int] = []
    waited_for = threading.Event()
    copy, settle = checkpointer._copy, Checkpointer.settle

    def copy_late(connection: sqlite3.Connection) -> None:
        assert waited_for.wait(20.0)
        copied.append(len(teller.records))
        copy(connection)

    def settle_now(self: Checkpointer) -> None:
        waited_for.set()
        settle(self)

    monkeypatch.setattr(checkpointer, "_copy", copy_late)
    monkeypatch.setattr(Checkpointer, "settle", settle_now)
    teller = Teller(writer)
    sizes = [0]
    while sizes[-1] < MOST:
        assert copied == []
        sizes += fill(teller, 1)
    assert sizes == sorted(sizes)
    assert len(copied) == 2, "by the thread, and the rest by the commit that waited for it"
    assert fill(teller, 1)[0] < COPIED


def test_who_reads_for_long_keeps_the_log_but_no_writer(writer: SQLiteWriter, tmp_path: Path) -> None:
    teller = Teller(writer)
    fill(teller, 1)
    with closing(sqlite3.connect(tmp_path / "h.sqlite3", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM tasks").fetchone() == (40,)
        begun = time.monotonic()
        sizes = fill(teller, 30)
        assert time.monotonic() - begun < 5.0
        assert sizes == sorted(sizes)
        assert sizes[-1] > MOST
        assert reader.execute("SELECT count(*) FROM tasks").fetchone() == (40,)
    # it is looked at again when it has grown by as much
    assert min(fill(teller, 12, settled=True)) < COPIED


WRITES_ON = """
import sys
from pathlib import Path
from tests.contract.teller import BUCKETS, Teller, succeeded
from umbel.store import checkpointer
from umbel.store.retention import Limits
from umbel.store.sqlite_writer import SQLiteWriter

checkpointer.COPIED_BYTES, checkpointer.MOST_BYTES = 200_000, 800_000
writer = SQLiteWriter(Path(sys.argv[1]), limits=Limits(), buckets=BUCKETS)
writer.open()
teller, name = Teller(writer), sys.argv[2]
for chunk in range(100_000):
    teller.tell([e for n in range(20) for e in succeeded(f"{name}-{chunk}-{n}", args="a" * 900)])
    print(chunk, flush=True)
"""


def test_what_was_committed_outlives_a_kill_while_the_log_is_copied(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite3"
    committed = 0
    for run, chunks in enumerate((30, 45, 61, 78)):
        command = [sys.executable, "-c", WRITES_ON, str(path), str(run)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            told = 0
            for _ in range(chunks):
                told = int(process.stdout.readline())
            process.kill()
            told = max([told, *map(int, process.stdout.read().split("\n")[:-1])])
        committed += 20 * (told + 1)
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            (rows,) = connection.execute("SELECT count(*) FROM tasks").fetchone()
        assert committed <= rows <= committed + 20
        committed = rows


def test_a_log_that_cannot_be_copied_takes_nothing_from_what_is_written(
    writer: SQLiteWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(checkpointer, "_COPY", "SELECT no_such_function()")
        teller = Teller(writer)
        sizes = fill(teller, 20)
        assert sizes[-1] > MOST
    wait_for(lambda: min(fill(teller, 1)) < COPIED, 10.0)
    assert set(writer.fetch_lives(list(teller.records))) == set(teller.records)
