"""The search index of an SQLite history: never another answer than without it, whatever happens to either file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.store_search_contract import ONE_STORE, expressions, printed_kwargs, some_text, texts
from tests.contract.teller import BUCKETS, EPOCH, Teller, received, succeeded
from umbel.store import paging, search_indexer, search_update, sqlite_prune
from umbel.store.base import Count, TaskQuery
from umbel.store.retention import Limits
from umbel.store.search import Expression, Term, parse_search
from umbel.store.search_index import index_path
from umbel.store.search_indexer import SearchIndexer, build_index
from umbel.store.sqlite_reader import SQLiteReader
from umbel.store.sqlite_writer import SQLiteWriter


class Stand:
    """A history, its index, and readers with and without it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer = SQLiteWriter(path, limits=Limits(), buckets=BUCKETS)
        self.writer.open()
        self.teller = Teller(self.writer)
        self.indexer = SearchIndexer(path)
        self.reader = SQLiteReader(path, buckets=BUCKETS, count_time=10.0)
        self.scanner = SQLiteReader(path, buckets=BUCKETS, count_time=10.0, search_index=False)

    def close(self) -> None:
        for thing in (self.indexer, self.reader, self.scanner, self.writer):
            thing.close()

    def find(self, expression: Expression | None) -> list[str]:
        """Uuids, held against those of a plain scan."""
        query = TaskQuery(search=expression)
        found = self.reader.fetch_tasks(query, limit=1000).tasks
        assert found == self.scanner.fetch_tasks(query, limit=1000).tasks
        assert self.reader.count_tasks(query) == self.scanner.count_tasks(query)
        return [task.uuid for task in found]

    def delete(self, where: str) -> None:
        """Take rows as retention does, but of any age."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            for (id_,) in connection.execute(f"SELECT id FROM tasks WHERE {where} ORDER BY id").fetchall():
                uuid = connection.execute("SELECT uuid FROM tasks WHERE id = ?", (id_,)).fetchone()[0]
                self.teller.records.pop(uuid, None)
                connection.execute("DELETE FROM tasks WHERE id = ?", (id_,))

    def entries(self, match: str) -> int:
        """How many entries of the index hold this."""
        with closing(sqlite3.connect(index_path(self.path))) as connection:
            parts = [row[0] for row in connection.execute("SELECT number FROM parts")]
            found = 0
            for name in (f"part_{number}" for number in parts):
                sql = f"SELECT count(*) FROM {name} WHERE {name} MATCH ?"
                found += connection.execute(sql, (f'"{match}"',)).fetchone()[0]
            return found

    def catch_up(self) -> None:
        """Until nothing is left to index; the first steps may only find that the index must be made anew."""
        for _ in range(3):
            while self.indexer.step(1000):
                pass


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    # every search asks the index, whose parts are of a few rows
    monkeypatch.setattr(paging, "ATTEMPTS", ((1, 1000, 9.0),))
    monkeypatch.setattr(paging, "FIRST_STEP", 1)
    monkeypatch.setattr(paging, "SAMPLE", 1)
    monkeypatch.setattr(search_update, "PART_ROWS", 5)
    monkeypatch.setattr(search_update, "PART_SHARE", 1000)
    monkeypatch.setattr(search_indexer, "TIDY_INTERVAL", 0.0)
    stand = Stand(tmp_path / "h.sqlite3")
    yield stand
    stand.close()


def word(text: str) -> Expression:
    expression = parse_search(text)
    assert expression is not None
    return expression


steps = st.one_of(
    st.tuples(st.just("tell"), st.integers(1, 3), printed_kwargs, some_text, texts),
    st.tuples(st.just("again"), st.integers(0, 30), st.integers(1, 3), printed_kwargs, some_text),
    st.tuples(st.just("delete oldest"), st.integers(1, 9)),
    st.tuples(st.just("delete newest"), st.integers(1, 3)),
    st.tuples(st.just("index"), st.integers(1, 9)),
)


class History:
    """Does what a step says."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._told = 0

    def do(self, step: tuple[Any, ...]) -> None:
        getattr(self, f"_{step[0].replace(' ', '_')}")(*step[1:])

    def _tell(self, state: int, kwargs: str | None, args: str | None, uuid: str) -> None:
        self._told += 1
        events = succeeded(f"{uuid}-{self._told}", at=EPOCH + self._told, kwargs=kwargs, args=args)
        self._stand.teller.tell(events[:state])

    def _again(self, number: int, state: int, kwargs: str | None, args: str | None) -> None:
        """A task that was told before is delivered again, with other texts, and comes as far as `state`."""
        uuids = list(self._stand.teller.records)
        if uuids:
            self._told += 1
            uuid = uuids[number % len(uuids)]
            events = succeeded(uuid, at=EPOCH + self._told, kwargs=kwargs, args=args, worker="celery@b")
            events[-1].result = args
            self._stand.teller.tell(events[:state])

    def _delete_oldest(self, count: int) -> None:
        self._stand.delete(f"id IN (SELECT id FROM tasks WHERE finished ORDER BY id LIMIT {count})")

    def _delete_newest(self, count: int) -> None:
        self._stand.delete(f"id IN (SELECT id FROM tasks ORDER BY id DESC LIMIT {count})")

    def _index(self, rows: int) -> None:
        self._stand.indexer.step(rows)


@given(taken=st.lists(steps, max_size=12), searches=st.lists(expressions, min_size=1, max_size=3))
@settings(ONE_STORE, max_examples=150)
def test_the_index_never_changes_an_answer(
    stand: Stand, taken: list[tuple[Any, ...]], searches: list[Expression]
) -> None:
    history = History(stand)
    for step in taken:
        history.do(step)
    for search in searches:
        stand.find(search)
    assert stand.indexer.healthy


def test_what_is_indexed_is_found_by_the_index_alone(stand: Stand) -> None:
    stand.teller.tell(
        [event for n in range(12) for event in succeeded(f"u{n}", kwargs=f"{{'order': {n}000}}")]
    )
    stand.indexer.step(100)
    assert stand.indexer.passed == 12
    with closing(sqlite3.connect(stand.path)) as connection:
        # as no writer would: the index does not know of it
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DROP TRIGGER tasks_rewritten")
        connection.execute("UPDATE tasks SET kwargs = 'elsewhere' WHERE uuid = 'u7'")
        connection.commit()
    found = stand.reader.fetch_tasks(TaskQuery(search=word("elsewhere")), limit=9).tasks
    assert found == []
    assert [t.uuid for t in stand.reader.fetch_tasks(TaskQuery(search=word("3000")), limit=9).tasks] == ["u3"]


@pytest.mark.parametrize("kwargs", ["{'order': 0x1267}", "{'order': 4_711}", r"{'ord\x65r': 4711}"])
def test_a_pair_that_is_written_otherwise_is_found_by_the_index(stand: Stand, kwargs: str) -> None:
    stand.teller.tell([*succeeded("u1", kwargs=kwargs), *succeeded("u2", kwargs="{'other': 4712}")])
    stand.indexer.step(100)
    assert stand.find(word("kwargs:order=4711")) == ["u1"]


def test_letters_of_every_alphabet_are_found_in_any_case(stand: Stand) -> None:
    stand.teller.tell([*succeeded("u1", args="('STRAßE',)"), *succeeded("u2", args="('ΣΊΣΥΦΟΣ',)")])
    stand.indexer.step(100)
    assert stand.find(word("strasse")) == ["u1"]
    assert stand.find(word("σίσυφος")) == ["u2"]


def test_an_id_that_is_given_anew_is_not_taken_for_indexed(stand: Stand) -> None:
    stand.teller.tell([event for n in range(8) for event in succeeded(f"u{n}", args=f"('old{n}',)")])
    stand.indexer.step(100)
    stand.delete("id >= 6")
    stand.teller.tell([event for n in range(3) for event in succeeded(f"v{n}", args=f"('new{n}',)")])
    assert len(stand.find(word("new"))) == 3
    stand.indexer.step(100)
    assert len(stand.find(word("new"))) == 3
    assert stand.find(word("old7")) == []


def test_a_task_that_is_delivered_again_is_found_by_its_new_result(stand: Stand) -> None:
    stand.teller.tell(succeeded("u1"))
    stand.indexer.step(100)
    again = succeeded("u1", at=EPOCH + 60, worker="celery@b")
    again[-1].result = "'second time'"
    for event in again:
        stand.teller.tell([event])
        stand.indexer.step(100)
    assert stand.find(word("result:second")) == ["u1"]


def test_parts_whose_rows_are_gone_are_dropped_and_the_rest_is_found(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_update, "PART_ROWS", 20)
    for n in range(40):
        stand.teller.tell(succeeded(f"u{n:02}", args="('common',)"))
        stand.indexer.step(5)
    # one row of 20 may be left in a part that goes
    stand.delete("id <= 30 AND id <> 3")
    for _ in range(3):
        stand.indexer.step(5)
    assert len(stand.find(word("common"))) == 11
    with closing(sqlite3.connect(index_path(stand.path))) as connection:
        assert connection.execute("SELECT min(first) FROM parts").fetchone()[0] > 20
    assert stand.entries("common"[:3]) < 30


@pytest.mark.parametrize("content", [b"", b"nonsense" * 2000, None])
def test_a_missing_or_damaged_index_is_made_anew(stand: Stand, content: bytes | None) -> None:
    stand.teller.tell([event for n in range(30) for event in succeeded(f"u{n}", args=f"('w{n:03}',)")])
    stand.indexer.step(100)
    stand.indexer.close()
    path = index_path(stand.path)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert stand.find(word("w017")) == ["u17"]
    stand.catch_up()
    assert stand.indexer.healthy
    assert stand.find(word("w017")) == ["u17"]
    assert stand.entries("w01") > 0


def test_pages_of_the_index_that_went_bad_are_noticed(stand: Stand) -> None:
    stand.teller.tell([event for n in range(300) for event in succeeded(f"u{n}", args=f"('w{n:03}',)")])
    stand.indexer.step(1000)
    stand.indexer.close()
    path = index_path(stand.path)
    with path.open("r+b") as file:
        file.seek(3 * 8192)
        file.write(b"\xff" * (path.stat().st_size - 3 * 8192))
    assert stand.find(word("w017")) == ["u17"]
    stand.teller.tell(succeeded("later", args="('w999',)"))
    stand.catch_up()
    assert stand.find(word("w999")) == ["later"]


def test_the_index_of_another_history_is_not_believed(stand: Stand, tmp_path: Path) -> None:
    stand.teller.tell([event for n in range(9) for event in succeeded(f"u{n}", args="('before',)")])
    stand.indexer.step(100)
    stand.close()
    stand.path.rename(tmp_path / "aside.sqlite3")
    other = Stand(stand.path)
    other.teller.tell([event for n in range(9) for event in succeeded(f"v{n}", args="('after',)")])
    assert len(other.find(word("after"))) == 9
    other.catch_up()
    assert len(other.find(word("after"))) == 9
    assert other.entries("bef") == 0
    other.close()


def test_an_older_copy_of_the_history_is_noticed(stand: Stand) -> None:
    stand.teller.tell(succeeded("u1", args="('first',)"))
    with closing(sqlite3.connect(stand.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = stand.path.read_bytes()
    stand.teller.tell([event for n in range(9) for event in succeeded(f"v{n}", args="('gone',)")])
    stand.indexer.step(100)
    stand.close()
    stand.path.write_bytes(copy)
    restored = Stand(stand.path)
    assert restored.find(word("first")) == ["u1"]
    restored.teller.tell([event for n in range(5) for event in succeeded(f"w{n}", args="('anew',)")])
    restored.catch_up()
    assert len(restored.find(word("anew"))) == 5
    assert restored.entries("gon") == 0
    restored.close()


def test_an_index_that_missed_too_much_is_made_anew(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_prune, "KEPT_REWRITTEN", 3)
    stand.teller.tell([event for n in range(9) for event in succeeded(f"u{n}", args="('first',)")])
    stand.indexer.step(100)
    for n in range(9):
        stand.teller.tell(succeeded(f"u{n}", at=EPOCH + 60, worker="celery@b", args="('second',)"))
    stand.writer.prune(now=EPOCH)
    assert len(stand.find(word("second"))) == 9
    stand.catch_up()
    assert len(stand.find(word("second"))) == 9
    assert stand.entries("fir") == 0


def test_unfinished_tasks_are_found_and_indexed_once_they_end(stand: Stand) -> None:
    stand.teller.tell([event for n in range(9) for event in received(f"u{n}", args=f"('w{n:03}',)")])
    stand.indexer.step(100)
    assert stand.find(word("w003")) == ["u3"]
    assert stand.entries("w00") == 0
    stand.teller.tell([event for n in range(9) for event in succeeded(f"u{n}")[1:]])
    stand.indexer.step(100)
    assert stand.find(word("w003")) == ["u3"]
    assert stand.entries("w00") >= 2, "eight tasks share an entry"


def test_few_new_rows_wait_for_more(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_indexer, "TIDY_INTERVAL", 3600.0)
    stand.indexer.step(100)
    stand.teller.tell([event for n in range(9) for event in succeeded(f"u{n}")])
    assert stand.indexer.step(100, patient=True) == 0
    assert stand.indexer.step(9, patient=True) == 9
    monkeypatch.setattr(search_indexer, "ENOUGH", 5)
    stand.teller.tell([event for n in range(9, 13) for event in succeeded(f"u{n}")])
    assert stand.indexer.step(100, patient=True) == 0
    stand.teller.tell(succeeded("u13"))
    assert stand.indexer.step(100, patient=True) == 5


def test_a_long_queue_that_was_worked_off_is_indexed_without_pauses(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_indexer, "TIDY_INTERVAL", 3600.0)
    stand.teller.tell([event for n in range(32) for event in received(f"u{n}", args=f"('w{n:03}',)")])
    assert stand.indexer.step(40) == 32
    stand.teller.tell([event for n in range(32) for event in succeeded(f"u{n}")[1:]])
    assert stand.indexer.step(10, patient=True) == 0, "they were looked at a moment ago"
    stand.indexer._next_sweep = 0.0
    assert [stand.indexer.step(10, patient=True) for _ in range(5)] == [10, 10, 10, 2, 0]
    assert stand.entries("031") == 1
    assert stand.reader.fetch_search_backlog() == 0


@pytest.mark.parametrize("is_restarted", [False, True])
def test_what_ended_is_indexed_in_a_history_that_fell_silent(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, is_restarted: bool
) -> None:
    monkeypatch.setattr(search_indexer, "TIDY_INTERVAL", 3600.0)
    monkeypatch.setattr(search_indexer, "ENOUGH", 1)
    stand.teller.tell([event for n in range(9) for event in received(f"u{n}")])
    stand.indexer.step(100)
    stand.teller.tell([event for n in range(9) for event in succeeded(f"u{n}")[1:]])
    stand.teller.tell(succeeded("u9"))
    assert stand.indexer.step(100, patient=True) == 1
    stand.indexer._next_sweep = 0.0
    with closing(SearchIndexer(stand.path) if is_restarted else stand.indexer) as indexer:
        indexer.step(0)
        assert indexer.step(100, patient=True) == 9, "nothing was written meanwhile"


def test_counting_ends_when_its_time_is_up(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "FIRST_PIECE", 2)
    stand.teller.tell([event for n in range(9) for event in received(f"u{n}", args="('common',)")])
    with closing(SQLiteReader(stand.path, buckets=BUCKETS, count_time=-1.0)) as hasty:
        assert hasty.count_tasks(TaskQuery(search=word("common"))).exact is False
        assert hasty.count_tasks(TaskQuery(search=word("name:shop"))) == Count(9, True)
    monkeypatch.undo()
    with closing(SQLiteReader(stand.path, buckets=BUCKETS, count_time=-1.0)) as stalled:
        assert stalled.count_tasks(TaskQuery(search=word("common"))) == Count(9, True)


def test_only_the_owner_can_read_the_index(stand: Stand) -> None:
    build_index(stand.path)
    assert index_path(stand.path).stat().st_mode & 0o777 == 0o600


def test_a_word_with_nul_is_found(stand: Stand) -> None:
    stand.teller.tell([*succeeded("u1", args="a\0bcdef"), *succeeded("u2", args="bcd")])
    stand.indexer.step(100)
    assert stand.find(Term("args", "a\0bcd")) == ["u1"]


def test_the_backlog_is_what_the_index_does_not_know_yet(stand: Stand) -> None:
    assert stand.scanner.fetch_search_backlog() is None
    assert stand.reader.fetch_search_backlog() is None
    stand.teller.tell([*succeeded("a"), *succeeded("b")])
    stand.catch_up()
    assert stand.reader.fetch_search_backlog() == 0
    stand.teller.tell(succeeded("c"))
    assert stand.reader.fetch_search_backlog() == 1
    stand.teller.tell(received("d"))
    stand.catch_up()
    assert stand.reader.fetch_search_backlog() == 1, "it has not finished"
    stand.teller.tell(succeeded("d")[1:])
    stand.catch_up()
    assert stand.reader.fetch_search_backlog() == 0
