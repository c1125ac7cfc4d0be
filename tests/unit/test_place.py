"""Where a history lives."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from umbel.errors import ConfigError, NotBuilt, StoreRefused
from umbel.store.place import Place, broker_identity, history_place, remove_place

BROKER = "redis://:secret@cache:6379/0"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://:pw@cache/1", "redis://cache:6379/1"),
        ("redis://", "redis://localhost:6379/0"),
        ("redis://user:p@ss@Host", "redis://host:6379/0"),
        ("redis://[::1]:6380/2", "redis://[::1]:6380/2"),
        ("amqp://guest:guest@localhost:5672//", "amqp://localhost:5672//"),
        ("pyamqp://guest@localhost/%2F", "amqp://localhost:5672//"),
        ("amqp://h/shop", "amqp://h:5672/shop"),
        ("sentinel://b:2;sentinel://a:1", "sentinel://a:1/0;sentinel://b:2/0"),
        ("redis+socket:///run/redis.sock", "redis+socket://localhost://run/redis.sock"),
    ],
)
def test_brokers_are_told_apart_without_their_passwords(url: str, expected: str) -> None:
    assert broker_identity(url) == expected


def test_one_broker_has_one_file_whoever_logs_in(tmp_path: Path) -> None:
    environ = {"STATE_DIRECTORY": str(tmp_path)}
    first = history_place(None, BROKER, environ)
    assert first == history_place("flower", "redis://other:pw@cache", environ)
    assert first.path.parent == tmp_path
    assert not first.temporary
    assert first != history_place(None, "redis://cache:6379/1", environ)


def test_folders_are_chosen_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, data, home = tmp_path / "state", tmp_path / "data", tmp_path / "home"
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    environ = {"STATE_DIRECTORY": f"{state}:/elsewhere", "FLOWER_DATA_DIR": str(data)}
    assert history_place(None, BROKER, environ).path.parent == state
    del environ["STATE_DIRECTORY"]
    assert history_place(None, BROKER, environ).path.parent == data
    assert history_place(None, BROKER, {}).path.parent == home / "umbel"


def test_a_path_and_its_url_are_the_same(tmp_path: Path) -> None:
    chosen = tmp_path / "deep" / "mine.db"
    assert history_place(str(chosen), BROKER, {}) == Place(chosen, False)
    assert history_place(f"sqlite:///{chosen}", BROKER, {}) == Place(chosen, False)


def test_a_foreign_file_is_left_alone(tmp_path: Path) -> None:
    shelf = tmp_path / "flower.db"
    shelf.write_bytes(b"GDBM")
    modern = tmp_path / "modern"
    with closing(sqlite3.connect(modern)) as connection, connection:
        connection.execute("CREATE TABLE Dict (key, value)")
    connection.close()
    for file in (shelf, modern):
        left = file.read_bytes()
        place = history_place(str(file), BROKER, {})
        assert place.path == Path(f"{file}.umbel.sqlite3")
        assert not place.temporary
        assert str(file) in place.notices[0]
        assert file.read_bytes() == left


def test_what_cannot_be_a_history_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match="is a directory"):
        history_place(str(tmp_path), BROKER, {})
    with pytest.raises(NotBuilt):
        history_place("postgresql://db/umbel", BROKER, {})
    for url in ("mysql://db/umbel", "sqlite://", "sqlite:///"):
        with pytest.raises(ConfigError):
            history_place(url, BROKER, {})


def test_an_unwritable_folder_gives_a_temporary_history_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    place = history_place(str(tmp_path / "file" / "h"), BROKER, {})
    assert place.temporary
    assert "lost at exit" in place.notices[0]
    assert os.access(place.path.parent, os.W_OK)
    remove_place(place)
    assert not place.path.parent.exists()


def test_a_temporary_place_is_removed_and_no_other(tmp_path: Path) -> None:
    place = history_place(str(tmp_path / "h"), BROKER, {}, temporary=True)
    assert place.path.parent != tmp_path
    remove_place(place)
    assert not place.path.parent.exists()
    remove_place(Place(tmp_path / "h", False))
    assert tmp_path.exists()
