"""The contract of a history, on SQLite: as it is, in the smallest of steps, and with a search index."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.contract.store_contract import StoreContract
from tests.contract.store_queue_contract import StoreQueueContract
from tests.contract.store_retention_contract import StoreRetentionContract
from tests.contract.store_search_contract import Shelf, StoreSearchContract
from tests.contract.store_totals_contract import StoreTotalsContract
from tests.contract.teller import BUCKETS, EPOCH, Teller, succeeded
from tests.unit.histories import event
from umbel.model.event import Event
from umbel.store import order, paging, search_index, sqlite_reader, sqlite_write, stepped_view, steps
from umbel.store.base import TaskQuery
from umbel.store.partition import MOST_MERGED
from umbel.store.retention import FEED_AGE, Limits
from umbel.store.schema import PARTITION_BITS
from umbel.store.search import parse_search
from umbel.store.search_indexer import SearchIndexer
from umbel.store.sqlite_reader import SQLiteReader
from umbel.store.sqlite_writer import SQLiteWriter
from umbel.store.status import CollectorStatus


@pytest.fixture
def writer(tmp_path: Path, limits: Limits) -> Iterator[SQLiteWriter]:
    writer = SQLiteWriter(tmp_path / "h.sqlite3", limits=limits, buckets=BUCKETS, clock=lambda: EPOCH)
    writer.open()
    yield writer
    writer.close()


class TestStore(StoreContract):
    """Rows, sums, feed, gaps and status."""


class TestTotals(StoreTotalsContract):
    """The totals of an SQLite history."""


class TestQueues(StoreQueueContract):
    """Figures of queues over time."""


class TestSearch(StoreSearchContract):
    """Filters, search, order and paging: the same however rows are found."""

    @pytest.fixture(autouse=True, params=["at once", "small steps", "partitions", "search index"])
    def way(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
        """With small steps every way of finding rows is taken, and every step ends after a few rows."""
        if request.param in ("small steps", "search index"):
            for name, value in {
                "FIRST_STEP": 2, "FIRST_PIECE": 9, "SMALL_BLOCK": 1, "SAMPLE": 1,
                "RARE": (1, 9.0), "ATTEMPTS": ((0, 1, 9.0), (1, 3, 9.0), (3, 999, 9.0)),
            }.items():  # fmt: skip
                monkeypatch.setattr(paging, name, value)
            monkeypatch.setattr(search_index, "MOST_UNKNOWN", 2)
            monkeypatch.setattr(steps, "LONGEST_STEP", 9)
            monkeypatch.setattr(stepped_view, "LONGEST_VIEW", 0.0)
        if request.param == "small steps":
            for module in (order, paging):
                monkeypatch.setattr(module, "MOST_MERGED", 5)
        return str(request.param)

    @pytest.fixture
    def shelf(self, way: str, tmp_path: Path, writer: SQLiteWriter) -> Iterator[Shelf]:
        indexer = SearchIndexer(tmp_path / "h.sqlite3")

        def after_put() -> None:
            if way == "search index":
                indexer.step(4)
            elif way != "at once":
                writer._file.transact(begin_partition)

        yield Shelf(writer, after_put=after_put)
        indexer.close()


def begin_partition(cursor: sqlite3.Cursor) -> None:
    """As if so many tasks had come since the last one, and were gone."""
    newest = "SELECT max(id) FROM tasks"
    cursor.execute(f"UPDATE tasks SET id = id + {1 << PARTITION_BITS} WHERE id = ({newest})")


def test_a_history_of_very_many_partitions_is_sorted_all_the_same(
    writer: SQLiteWriter, reader: SQLiteReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to what one statement takes, and beyond."""
    monkeypatch.setattr(paging, "SMALL_BLOCK", 1)
    teller = Teller(writer)
    query = TaskQuery(
        sort="runtime",
        search=parse_search("x" * 200 + " OR celery OR kwargs:a=1 OR abab"),
        states=("SUCCESS",),
    )
    for number in range(MOST_MERGED + 1):
        teller.tell(succeeded(f"u{number}", runtime=1.0 + number * 7 % 50, args="(abab,)"))
        writer._file.transact(begin_partition)
        if number >= MOST_MERGED - 1:
            ranked = sorted(teller.tasks, key=lambda task: (task.runtime or 0.0, task.uuid), reverse=True)
            found = reader.fetch_tasks(query, limit=30, offset=20).tasks
            assert [task.uuid for task in found] == [task.uuid for task in ranked[20:50]]
            shown = reader.fetch_tasks(TaskQuery(sort="runtime"), limit=30, offset=20).tasks
            assert [task.uuid for task in shown] == [task.uuid for task in ranked[20:50]]


class TestRetention(StoreRetentionContract):
    """What a history lets go of."""


def test_a_history_that_is_taken_away_while_nothing_happens_is_made_anew(
    writer: SQLiteWriter, tmp_path: Path
) -> None:
    status = CollectorStatus(pid=1, time=5.0, started=1.0, state="connected")
    writer.write_status(status)
    for file in tmp_path.glob("h.sqlite3*"):
        if file.suffix != ".lock":
            file.unlink()
    writer.note_alive(6.0, 5.5)
    assert (tmp_path / "h.sqlite3").exists()
    assert writer.fetch_last_alive() == 6.0
    writer.note_alive(7.0, 5.5)
    assert writer.fetch_last_alive() == 7.0


def test_a_sign_of_life_says_nothing_of_an_older_copy(writer: SQLiteWriter, tmp_path: Path) -> None:
    status = CollectorStatus(pid=1, time=5.0, started=1.0, state="connected")
    writer.write_status(status)
    writer.close()
    (tmp_path / "copy").write_bytes((tmp_path / "h.sqlite3").read_bytes())
    writer.open()
    writer.write_status(msgspec.structs.replace(status, time=8.0))
    writer.note_alive(9.0, None)
    writer.close()
    (tmp_path / "copy").rename(tmp_path / "h.sqlite3")
    writer.open()
    assert writer.fetch_last_alive() == 5.0


def test_a_task_that_moves_while_a_page_is_made_is_on_it_once(
    writer: SQLiteWriter, reader: SQLiteReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(type_: str, uuid: str) -> Event:
        return msgspec.structs.replace(event(type_, EPOCH + len(uuid), "celery@a", 1, name="n"), uuid=uuid)

    teller = Teller(writer)
    for type_, letter in (("task-failed", "f"), ("task-received", "r"), ("task-succeeded", "s")):
        teller.tell([told(type_, f"{letter}{n}") for n in range(3)])
    found: list[str] = []
    search = paging.Finder._search

    def search_and_note(finder: paging.Finder, *where: Any) -> list[Any]:
        rows = search(finder, *where)
        found.extend(row.uuid for row in rows)
        if found[-3:] == ["r0", "r1", "r2"]:
            teller.tell([told("task-succeeded", "r0")])
            finder._view.breathe()
        return rows

    monkeypatch.setattr(stepped_view, "LONGEST_VIEW", 0.0)
    monkeypatch.setattr(paging.Finder, "_search", search_and_note)
    tasks = reader.fetch_tasks(TaskQuery(sort="state", descending=False), limit=100).tasks
    assert found.count("r0") == 2, "it was found before and after it moved"
    assert [task.uuid for task in tasks] == ["f0", "f1", "f2", "r0", "r1", "r2", "s0", "s1", "s2"]


def test_a_page_shows_its_rows_as_they_were_found(
    writer: SQLiteWriter, reader: SQLiteReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = event("task-received", EPOCH, "celery@a", 1, name="n")
    teller = Teller(writer)
    teller.tell([msgspec.structs.replace(received, uuid="moves")])
    fetch = stepped_view.SteppedView.fetch_text

    def move_and_fetch(view: stepped_view.SteppedView, *statement: Any) -> Any:
        if statement[0] is sqlite_reader._ROWS:
            ended = event("task-succeeded", EPOCH + 1, "celery@a", 1)
            teller.tell([msgspec.structs.replace(ended, uuid="moves")])
        return fetch(view, *statement)

    monkeypatch.setattr(stepped_view.SteppedView, "fetch_text", move_and_fetch)
    waiting = TaskQuery(states=("RECEIVED",))
    assert [task.state for task in reader.fetch_tasks(waiting, limit=10).tasks] == ["RECEIVED"]
    assert reader.fetch_tasks(waiting, limit=10).tasks == []


def test_rows_that_end_find_room_in_their_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it each would split its page, and leave half of both empty."""
    pages = []
    for most in (sqlite_write._MOST_ROOM, 0):
        monkeypatch.setattr(sqlite_write, "_MOST_ROOM", most)
        with closing(SQLiteWriter(tmp_path / f"{most}", limits=Limits(), buckets=BUCKETS)) as writer:
            writer.open()
            tell_with_late_ends(Teller(writer))
            found = writer._file.select("SELECT max(length(marks)) < 200, count(result) FROM tasks")
            assert found == [(True, 1200)], "the room is given back"
            pages += writer._file.select("PRAGMA page_count")[0]
    assert pages[0] < 0.96 * pages[1]


def tell_with_late_ends(teller: Teller) -> None:
    """1,200 tasks of which every fifth is written before it has ended."""
    late: list[Event] = []
    for start in range(0, 1200, 60):
        events, late = late, []
        for number in range(start, start + 60):
            *begin, end = succeeded(f"u{number}", args="a" * 200)
            end.result = "r" * 400
            events += begin
            (events if number % 5 else late).append(end)
        teller.tell(events)
    teller.tell(late)


def test_a_quiet_history_has_no_log(writer: SQLiteWriter, tmp_path: Path) -> None:
    teller = Teller(writer)
    log = tmp_path / "h.sqlite3-wal"
    teller.tell(succeeded("a"))
    assert log.stat().st_size > 0
    with closing(sqlite3.connect(tmp_path / "h.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN")
        assert other.execute("SELECT count(*) FROM tasks").fetchone() == (1,)
        teller.tell(succeeded("b"))
        begun = time.monotonic()
        writer.release()
        assert time.monotonic() - begun < 1.0, "nobody waits for a reader"
        assert log.stat().st_size > 0
    writer.release()
    assert log.stat().st_size == 0
    teller.tell(succeeded("c"))
    assert writer._file.select("SELECT count(*) FROM tasks") == [(3,)]


def test_feed_rows_go_once_they_are_an_hour_old(tmp_path: Path) -> None:
    now = EPOCH
    path = tmp_path / "h.sqlite3"
    with (
        closing(SQLiteWriter(path, limits=Limits(), buckets=BUCKETS, clock=lambda: now)) as writer,
        closing(SQLiteReader(path, buckets=BUCKETS)) as reader,
    ):
        writer.open()
        teller = Teller(writer)
        ids = []
        for number in range(6):
            ids.append(teller.tell(succeeded(f"u{number}")))
            now += 10

        def left() -> list[int]:
            return [row.id for row in reader.fetch_feed(0)]

        writer.prune(now=EPOCH + FEED_AGE)
        assert left() == ids
        writer.prune(now=EPOCH + FEED_AGE + 21)
        assert left() == ids[3:]
        writer.prune(now=EPOCH + FEED_AGE + 1000)
        assert left() == ids[-1:], "readers begin at the newest"
