"""The file under an SQLite history: damage, locks, foreign files, full disks, kills and swaps."""

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from tests.contract.store_contract import assert_facets_exact
from tests.contract.teller import BUCKETS, EPOCH, Teller, received, succeeded
from umbel.errors import StoreLocked, StoreRefused, StoreUnavailable
from umbel.model.fold import project, record_of
from umbel.store import sqlite_owned, sqlite_writer
from umbel.store.base import Changes, TaskChange, TaskQuery
from umbel.store.retention import Limits
from umbel.store.schema import SCHEMA_VERSION
from umbel.store.sqlite_reader import SQLiteReader
from umbel.store.sqlite_writer import SQLiteWriter
from umbel.store.status import CollectorStatus

PAGE = 4096


def make_writer(path: Path, *, max_bytes: int | None = None, limits: Limits | None = None) -> SQLiteWriter:
    return SQLiteWriter(path, limits=limits or Limits(), buckets=BUCKETS, max_bytes=max_bytes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "h.sqlite3"


def fill(path: Path, count: int = 1000) -> None:
    """A history of `count` tasks, closed."""
    writer = make_writer(path)
    writer.open()
    Teller(writer).tell([e for n in range(count) for e in succeeded(f"u{n}", at=EPOCH + n)])
    writer.close()


def damaged_files(path: Path) -> list[Path]:
    return sorted(
        file
        for file in path.parent.glob(f"{path.name}.damaged-*")
        if not file.name.endswith(("-wal", "-shm"))
    )


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut inside the header": lambda path: os.truncate(path, 50),
    "cut after one page": lambda path: os.truncate(path, PAGE),
    "cut in half": lambda path: os.truncate(path, path.stat().st_size // 2 + 100),
    "cut by one byte": lambda path: os.truncate(path, path.stat().st_size - 1),
    "half a header": lambda path: overwrite(path, 60, b"\0" * 4000),
    "other bytes for a header": lambda path: overwrite(path, 0, os.urandom(100)),
    "other bytes in the middle": lambda path: overwrite(path, 20 * PAGE, os.urandom(8 * PAGE)),
    "other bytes all over": lambda path: path.write_bytes(os.urandom(50_000)),
    "zeros": lambda path: path.write_bytes(b"\0" * 50_000),
    "text": lambda path: path.write_bytes(b"once upon a time"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_history_is_moved_aside_and_a_new_one_begun(
    path: Path, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    fill(path)
    damage(path)
    left = path.read_bytes()
    writer = make_writer(path)
    with caplog.at_level(logging.ERROR):
        writer.open()
    [aside] = damaged_files(path)
    assert aside.read_bytes()[PAGE:] == left[PAGE:]
    assert aside.name in caplog.text
    assert [aside.name in notice for notice in writer.get_notices()] == [True]
    Teller(writer).tell(received("new"))
    writer.close()
    writer.open()
    assert set(writer.fetch_lives(["new", "u1"])) == {"new"}
    writer.close()
    assert len(damaged_files(path)) == 1


def test_an_empty_file_becomes_a_history(path: Path) -> None:
    path.touch()
    fill(path, 1)
    assert damaged_files(path) == []


def test_a_sound_history_is_opened_as_it_is(path: Path) -> None:
    fill(path)
    writer = make_writer(path)
    writer.open()
    assert len(writer.fetch_lives([f"u{n}" for n in range(1000)])) == 1000
    assert writer.get_notices() == []
    writer.close()
    assert path.stat().st_mode & 0o077 == 0


def test_damage_met_while_writing_is_moved_aside_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(path)
    # as for a large file, of which only the ends of the indexes are looked at
    monkeypatch.setattr(sqlite_owned, "CHECKED_BYTES", 0)
    writer = make_writer(path)
    writer.open()
    fill_other = Teller(writer)
    pages = path.stat().st_size // PAGE
    writer.close()
    for page in range(pages // 4, pages, 3):
        overwrite(path, page * PAGE, os.urandom(PAGE))
    try:
        writer.open()
    finally:
        for part in range(20):
            fill_other.tell([e for n in range(100) for e in succeeded(f"n{part}-{n}")])
    assert len(damaged_files(path)) == 1
    # chunks before the damage was met went aside with it; none is half there
    found = len(writer.fetch_lives([f"n{part}-{n}" for part in range(20) for n in range(100)]))
    assert found % 100 == 0
    assert found > 0
    reader = SQLiteReader(path, buckets=BUCKETS)
    assert_facets_exact(reader)
    reader.close()
    writer.close()


def test_a_disk_that_keeps_damaging_is_not_fed_with_files(path: Path) -> None:
    fill(path)
    writer = make_writer(path)
    writer.open()
    teller = Teller(writer)
    spoil(writer)
    teller.tell(received("a"))
    spoil(writer)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="damaged again"):
            writer.write_status(CollectorStatus(pid=1, time=1.0, started=1.0, state="connected"))
    assert len(damaged_files(path)) == 1
    writer.close()


def test_a_row_of_impossible_length_is_damage(path: Path) -> None:
    writer = make_writer(path)
    writer.open()
    connection = writer._file._connection
    assert connection is not None
    # as if a length read from the file were beyond what SQLite takes
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 64)
    writer.write_status(CollectorStatus(pid=1, time=1.0, started=1.0, state="connected"))
    assert len(damaged_files(path)) == 1
    writer.close()


def spoil(writer: SQLiteWriter) -> None:
    """Overwrite every page behind the back of the open writer."""
    path = writer._file.path
    connection = writer._file._connection
    assert connection is not None
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.execute("PRAGMA shrink_memory")
    # its pages are cached: another connection's write makes SQLite read them anew
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE IF NOT EXISTS spoiler (n)")
    other.execute("INSERT INTO spoiler VALUES (1)")
    other.commit()
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    for page in range(1, path.stat().st_size // PAGE):
        overwrite(path, page * PAGE, os.urandom(PAGE))
    other.close()


def test_the_second_writer_is_told_who_writes(path: Path) -> None:
    first = make_writer(path)
    first.open()
    second = make_writer(path)
    with pytest.raises(StoreLocked, match=f"process {os.getpid()}"):
        second.open()
    first.close()
    second.open()
    second.close()
    second.close()


def test_a_directory_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreRefused, match="is a directory"):
        make_writer(path).open()
    assert list(path.iterdir()) == []


def test_a_foreign_database_is_left_alone(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE dict (key, value)")
    other.commit()
    other.close()
    left = path.read_bytes()
    with pytest.raises(StoreRefused, match="not a history of Umbel"):
        make_writer(path).open()
    assert path.read_bytes() == left
    assert list(path.parent.iterdir()) == [path]


def test_a_foreign_database_in_the_place_of_a_lost_history_is_left_alone(path: Path) -> None:
    fill(path, 1)
    path.unlink()
    test_foreign = sqlite3.connect(path)
    test_foreign.execute("CREATE TABLE dict (key, value)")
    test_foreign.commit()
    test_foreign.close()
    left = path.read_bytes()
    with pytest.raises(StoreRefused):
        make_writer(path).open()
    assert path.read_bytes() == left


def test_any_other_file_is_left_alone(path: Path) -> None:
    path.write_text("a shelf of Flower's")
    with pytest.raises(StoreRefused):
        make_writer(path).open()
    assert path.read_text() == "a shelf of Flower's"
    assert list(path.parent.iterdir()) == [path]


def test_a_newer_schema_is_refused_with_both_versions(path: Path) -> None:
    fill(path, 1)
    other = sqlite3.connect(path)
    other.execute("UPDATE alembic_version SET version_num = '0815'")
    other.commit()
    other.close()
    writer = make_writer(path)
    for _ in range(2):
        with pytest.raises(StoreRefused, match=f"schema 0815, but .* {SCHEMA_VERSION}"):
            writer.open()
    with pytest.raises(StoreRefused, match="0815"):
        SQLiteReader(path, buckets=BUCKETS).open()
    assert damaged_files(path) == []


def test_a_full_store_refuses_whole_chunks_and_takes_them_later(path: Path) -> None:
    limits = Limits(tasks=100, age=None, bytes=None)
    writer = make_writer(path, max_bytes=1_500_000, limits=limits)
    writer.open()
    teller = Teller(writer)
    refused = tell_until_refused(teller)
    assert writer.fetch_lives(refused) == {}
    writer.prune(now=EPOCH)
    again = Teller(writer)
    again.tell([e for uuid in refused for e in succeeded(uuid)])
    assert len(writer.fetch_lives(refused)) == 100
    reader = SQLiteReader(path, buckets=BUCKETS)
    assert_facets_exact(reader)
    reader.close()
    writer.close()


def test_retention_takes_nothing_from_a_file_that_was_put_in_place_of_the_one_it_looked_at(
    path: Path, tmp_path: Path
) -> None:
    other = tmp_path / "backup.sqlite3"
    fill(other, 500)
    writer = make_writer(path, limits=Limits(tasks=10, age=None, bytes=None))
    writer.open()
    Teller(writer).tell([e for n in range(3000) for e in succeeded(f"u{n}", at=EPOCH + n)])
    assert not writer.prune_some(now=EPOCH, seconds=0.0)
    for beside in ("-wal", "-shm"):
        path.with_name(path.name + beside).unlink()
    other.replace(path)
    while not writer.prune_some(now=EPOCH, seconds=0.0):
        pass
    reader = SQLiteReader(path, buckets=BUCKETS)
    assert reader.fetch_extent().tasks == 500
    # the next run is about the new file
    assert writer.prune_some(now=EPOCH, seconds=60.0)
    assert reader.fetch_extent().tasks == 10
    reader.close()
    writer.close()


def test_a_run_of_retention_that_failed_is_begun_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = make_writer(path, limits=Limits(tasks=10, age=None, bytes=None))
    writer.open()
    Teller(writer).tell([e for n in range(3000) for e in succeeded(f"u{n}", at=EPOCH + n)])
    assert not writer.prune_some(now=EPOCH, seconds=0.0)

    def refuse(work: object) -> int:
        raise StoreUnavailable("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(writer._file, "transact", refuse)
        with pytest.raises(StoreUnavailable):
            writer.prune_some(now=EPOCH, seconds=60.0)
    assert writer.prune_some(now=EPOCH, seconds=60.0)
    reader = SQLiteReader(path, buckets=BUCKETS)
    assert reader.fetch_extent().tasks == 10
    reader.close()
    writer.close()


def test_free_pages_are_given_back_many_in_a_step(path: Path) -> None:
    writer = make_writer(path, limits=Limits(tasks=0, age=None, bytes=None))
    writer.open()
    teller = Teller(writer)
    for part in range(5):
        teller.tell([e for n in range(1000) for e in succeeded(f"u{part}-{n}", args="x" * 900)])
    assert writer.prune_some(now=EPOCH, seconds=60.0)
    before = free_pages(path)
    steps = 0
    while not writer.prune_some(now=EPOCH, seconds=0.0):
        steps += 1
    assert before > 500
    assert free_pages(path) < before / 2
    assert steps < 30
    writer.close()


def test_a_long_run_of_retention_says_how_far_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite_writer, "TELL_EVERY", 0.0)
    writer = make_writer(path, limits=Limits(tasks=10, age=None, bytes=None))
    writer.open()
    Teller(writer).tell([e for n in range(1510) for e in succeeded(f"u{n}", at=EPOCH + n)])
    with caplog.at_level(logging.INFO, logger="umbel"):
        writer.prune(now=EPOCH)
    told = [record.getMessage() for record in caplog.records if "removed" in record.getMessage()]
    assert told[:2] == [
        "1,000 of 1,500 finished tasks are removed.", "1,500 of 1,500 finished tasks are removed."
    ]  # fmt: skip
    writer.close()


def free_pages(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA freelist_count").fetchone()[0])


def tell_until_refused(teller: Teller) -> list[str]:
    """The uuids of the chunk that the store had no room for."""
    for chunk in range(100):
        uuids = [f"u{chunk}-{n}" for n in range(100)]
        try:
            teller.tell([e for uuid in uuids for e in succeeded(uuid, args="x" * 500)])
        except StoreUnavailable:
            assert chunk > 2
            return uuids
    raise AssertionError("the store took everything")


def test_a_row_that_breaks_a_rule_is_not_taken_for_a_full_disk(path: Path) -> None:
    writer = make_writer(path)
    writer.open()
    good, bad = (record_of(received(uuid)[0]) for uuid in ("good", "bad"))
    without_time = msgspec.structs.replace(project(bad), updated=float("nan"))
    with pytest.raises(sqlite3.IntegrityError):
        writer.write(
            Changes(tasks=[TaskChange(None, project(good), good), TaskChange(None, without_time, bad)])
        )
    assert writer.fetch_lives(["good", "bad"]) == {}
    Teller(writer).tell(received("good"))
    writer.close()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from tests.contract.teller import Teller, succeeded
from tests.contract.test_store_sqlite_file import make_writer, tell_until_refused

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = make_writer(Path(sys.argv[1]))
writer.open()
teller = Teller(writer)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
refused = tell_until_refused(teller)
print("refused")
assert writer.fetch_lives(refused) == {}
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
Teller(writer).tell([e for uuid in refused for e in succeeded(uuid)])
assert len(writer.fetch_lives(refused)) == 100
writer.close()
print("recovered")
"""


def test_a_file_system_that_refuses_is_survived(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, timeout=100, check=False
    )
    assert "refused" in done.stdout, done.stderr
    assert "recovered" in done.stdout, done.stderr
    reader = SQLiteReader(path, buckets=BUCKETS)
    assert_facets_exact(reader)
    reader.close()


KILLED = """
import sys
from pathlib import Path
from tests.contract.teller import Teller, received, succeeded
from tests.contract.test_store_sqlite_file import make_writer

writer = make_writer(Path(sys.argv[1]))
writer.open()
teller = Teller(writer)
run = sys.argv[2]
for chunk in range(10_000):
    teller.tell([e for n in range(50) for e in received(f"u{run}-{chunk}-{n}")])
    teller.tell([e for n in range(50) for e in succeeded(f"u{run}-{chunk}-{n}")])
    print(chunk, flush=True)
"""


def test_a_killed_writer_loses_nothing_it_had_written(path: Path) -> None:
    told: list[str] = []
    for run in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path), str(run)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for _ in range(7):
            chunk = child.stdout.readline().strip()
            told += [f"u{run}-{chunk}-{n}" for n in range(50)]
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
    writer = make_writer(path)
    writer.open()
    found = writer.fetch_lives(told)
    assert len(found) == len(told) == 3 * 7 * 50
    assert all(task.state == "SUCCESS" for task, _ in found.values())
    assert writer.get_notices() == []
    reader = SQLiteReader(path, buckets=BUCKETS)
    assert_facets_exact(reader)
    reader.close()
    writer.close()


def test_a_reader_waits_for_the_writer_to_make_the_history(path: Path) -> None:
    reader = SQLiteReader(path, buckets=BUCKETS)
    with pytest.raises(StoreUnavailable):
        reader.open()
    fill(path, 3)
    reader.open()
    assert reader.fetch_extent().tasks == 3
    reader.close()


def test_readers_of_many_threads_see_whole_chunks_while_the_writer_writes(path: Path) -> None:
    fill(path, 10)
    writer = make_writer(path)
    writer.open()
    reader = SQLiteReader(path, buckets=BUCKETS)
    over = threading.Event()
    odd: list[object] = []

    def read() -> None:
        while not over.is_set():
            try:
                count = reader.count_tasks(TaskQuery()).value
                rows = len(reader.fetch_tasks(TaskQuery(), limit=10_000).tasks)
            except StoreUnavailable as exc:
                odd.append(exc)
                return
            if count % 10 or rows % 10:
                odd.append((count, rows))

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    teller = Teller(writer)
    for chunk in range(30):
        teller.tell([e for n in range(10) for e in succeeded(f"n{chunk}-{n}")])
    over.set()
    for thread in threads:
        thread.join()
    assert odd == []
    assert reader.count_tasks(TaskQuery()).value == 310
    reader.close()
    writer.close()


def test_a_reader_follows_the_writer_to_a_new_file(path: Path) -> None:
    fill(path, 5)
    reader = SQLiteReader(path, buckets=BUCKETS)
    assert reader.fetch_extent().tasks == 5
    path.rename(f"{path}.old")
    with pytest.raises(StoreUnavailable):
        reader.fetch_extent()
    fill(path, 2)
    assert reader.fetch_extent().tasks == 2
    reader.close()


def test_a_history_deleted_under_the_writer_is_begun_anew(path: Path) -> None:
    writer = make_writer(path)
    writer.open()
    teller = Teller(writer)
    teller.tell(received("a"))
    for file in path.parent.glob("h.sqlite3*"):
        if file.suffix != ".lock":
            file.unlink()
    teller.tell(succeeded("a"))
    writer.close()
    reader = SQLiteReader(path, buckets=BUCKETS)
    assert [task.state for task in reader.fetch_tasks(TaskQuery(), limit=9).tasks] == ["SUCCESS"]
    assert_facets_exact(reader)
    reader.close()


def test_a_query_that_takes_too_long_is_given_up(path: Path) -> None:
    fill(path, 3000)
    reader = SQLiteReader(path, buckets=BUCKETS, timeout=0.0)
    reader.open()
    with pytest.raises(StoreUnavailable, match="no answer within 0 s"):
        reader.fetch_tasks(TaskQuery(sort="args"), limit=10)
    reader.close()
    patient = SQLiteReader(path, buckets=BUCKETS, timeout=30.0)
    assert len(patient.fetch_tasks(TaskQuery(sort="args"), limit=10).tasks) == 10
    patient.close()


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="Cannot make the folder"):
        make_writer(tmp_path / "file" / "h.sqlite3").open()
