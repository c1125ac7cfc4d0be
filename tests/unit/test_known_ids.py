"""Known ids: none that is stored is ever taken for new, whatever happens to the file meanwhile."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.servers.process import wait_for
from umbel.store import known_ids as module
from umbel.store.known_ids import KnownIds
from umbel.store.sqlite_file import identity

Make = Callable[[Path], KnownIds]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[KnownIds] = []

    def start(path: Path) -> KnownIds:
        made.append(KnownIds(path))
        return made[-1]

    yield start
    for ids in made:
        ids.close()


def make_file(path: Path, uuids: list[str], *, apart: int = 1) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY, uuid TEXT UNIQUE)")
        rows = [(number * apart, uuid) for number, uuid in enumerate(uuids)]
        connection.executemany("INSERT INTO tasks VALUES (?, ?)", rows)
    return path


def make_ids(count: int) -> list[str]:
    return [str(uuid4()) for _ in range(count)]


def wait_until_filled(ids: KnownIds, path: Path) -> None:
    probe = make_ids(20)
    wait_for(lambda: len(ids.sift(probe, identity(path))) < len(probe))


def test_all_are_looked_up_until_the_file_was_read_and_then_those_it_holds(
    make: Make, tmp_path: Path
) -> None:
    stored, others = make_ids(12_000), make_ids(1_000)
    path = make_file(tmp_path / "h", stored, apart=50)
    ids = make(path)
    assert ids.sift(others, identity(path)) == others
    wait_until_filled(ids, path)
    assert ids.sift(stored, identity(path)) == stored
    assert len(ids.sift(others, identity(path))) < 50


def test_what_is_stored_later_is_known(make: Make, tmp_path: Path) -> None:
    path = make_file(tmp_path / "h", [])
    ids = make(path)
    wait_until_filled(ids, path)
    added = make_ids(100)
    assert ids.sift(added, identity(path)) == []
    ids.add(added)
    assert ids.sift(added, identity(path)) == added


def test_nothing_is_missed_that_is_stored_while_the_file_is_read(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH", 20)
    stored, added = make_ids(2_000), make_ids(2_000)
    path = make_file(tmp_path / "h", stored, apart=65)
    ids = make(path)

    def store() -> None:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as connection:
            for start in range(0, len(added), 50):
                part = added[start : start + 50]
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("INSERT INTO tasks (uuid) VALUES (?)", [(uuid,) for uuid in part])
                connection.execute("COMMIT")
                ids.add(part)

    thread = threading.Thread(target=store)
    thread.start()
    wait_until_filled(ids, path)
    thread.join()
    assert ids.sift([*stored, *added], identity(path)) == [*stored, *added]


def test_another_file_is_read_anew_and_a_missing_one_asked_about_everything(
    make: Make, tmp_path: Path
) -> None:
    first, second = make_ids(50), make_ids(50)
    path = make_file(tmp_path / "h", first)
    ids = make(path)
    wait_until_filled(ids, path)
    make_file(tmp_path / "other", second).replace(path)
    ids._next_try = 0.0  # it was just tried
    before = identity(path)
    assert ids.sift(second, before) == second, "at once, before it was read"
    wait_until_filled(ids, path)
    assert ids.sift(second, before) == second and ids.sift(first, before) == []

    path.unlink()
    assert ids.sift(first, before) == first and ids.sift(first, None) == first


def test_ids_of_deleted_rows_are_forgotten_after_a_while(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FEWEST_WORDS", 40)
    monkeypatch.setattr(module, "PARTITION_BITS", 7)
    deleted, kept = make_ids(60), make_ids(101)
    path = make_file(tmp_path / "h", kept)
    ids = make(path)
    wait_until_filled(ids, path)
    ids.add(deleted)
    assert ids.sift(deleted, identity(path)) == deleted
    ids._next_try = 0.0
    ids.add(kept)
    # a few may look known all the same
    wait_for(lambda: len(ids.sift(deleted, identity(path))) < 10)
    assert ids.sift(kept, identity(path)) == kept
    wait_for(lambda: ids._next is None)
    assert ids._held == len(kept), "it is not filled again and again"


def test_a_file_that_is_replaced_while_it_is_opened_tells_nothing_of_the_one_before(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_file(tmp_path / "h", make_ids(5))
    other = make_file(tmp_path / "other", [])
    connect = sqlite3.connect

    def replace_and_connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        if other.exists():
            path.rename(tmp_path / "away")
            other.rename(path)
        opened: sqlite3.Connection = connect(*arguments, **options)
        return opened

    monkeypatch.setattr(sqlite3, "connect", replace_and_connect)
    ids = make(path)
    ids.prepare(identity(path))
    wait_for(lambda: not other.exists() and ids._next is None)
    assert ids._known is None


def test_a_file_that_cannot_be_read_is_asked_about_everything(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "h"
    path.write_bytes(b"no database" * 100)
    ids = make(path)
    for _ in range(3):
        assert ids.sift(["a"], identity(path)) == ["a"]
    wait_for(lambda: ids._next is None)
    assert ids.sift(["a"], identity(path)) == ["a"]
