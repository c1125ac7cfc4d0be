"""An SQLite history whose index of uuids is cut finds, changes and never doubles tasks, in whichever partition."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.contract.teller import BUCKETS, EPOCH, Teller
from tests.contract.test_store_sqlite import begin_partition
from umbel.model.event import Event
from umbel.store import paging, partition, queries, sqlite_ids, sqlite_tallies
from umbel.store.base import TaskQuery
from umbel.store.retention import Limits
from umbel.store.schema import PARTITION, PARTITION_BITS, tasks
from umbel.store.sqlite_reader import SQLiteReader
from umbel.store.sqlite_writer import SQLiteWriter
from umbel.store.stepped_view import SteppedView

UUIDS = [f"u{number}" for number in range(6)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "h.sqlite3"


@pytest.fixture
def writer(path: Path) -> Iterator[SQLiteWriter]:
    with closing(SQLiteWriter(path, limits=Limits(), buckets=BUCKETS, clock=lambda: EPOCH)) as writer:
        writer.open()
        yield writer


def told(type_: str, uuid: str, after: float) -> Event:
    return Event(
        type=type_, hostname="celery@a", timestamp=EPOCH + after, pid=1, uuid=uuid, received_at=EPOCH + after,
        name="n" if type_ in ("task-sent", "task-received") else None, root_id="u0",
        parent_id=None if uuid == "u0" else "u0",
    )  # fmt: skip


def fill(writer: SQLiteWriter, count: int = len(UUIDS)) -> Teller:
    """A history in which each of so many tasks is in a partition of its own."""
    teller = Teller(writer)
    for place, uuid in enumerate(UUIDS[:count]):
        teller.tell([told("task-sent", uuid, place), told("task-received", uuid, place + 0.5)])
        if place:
            writer._file.transact(begin_partition)
    return teller


@pytest.mark.parametrize("count", range(5))
def test_tasks_are_found_in_however_many_partitions(writer: SQLiteWriter, count: int) -> None:
    fill(writer, count)
    found = writer.fetch_lives([*UUIDS, "nobody"])
    assert sorted(found) == UUIDS[:count]


def test_each_partition_is_looked_into(path: Path, writer: SQLiteWriter) -> None:
    teller = fill(writer)
    wanted = [*UUIDS, "nobody"]
    assert {uuid: task for uuid, (task, _) in writer.fetch_lives(wanted).items()} == {
        task.uuid: task for task in teller.tasks
    }
    with closing(SQLiteReader(path, buckets=BUCKETS)) as reader:
        assert reader.fetch_sent(wanted) == {uuid: EPOCH + place for place, uuid in enumerate(UUIDS)}
        assert sorted(reader.fetch_standings(wanted)) == UUIDS
        for task in teller.tasks:
            detail = reader.fetch_task(task.uuid)
            assert detail is not None and detail.task == task
        assert reader.fetch_task("nobody") is None
        family = TaskQuery(root_id="u0", sort="received", descending=False)
        assert [task.uuid for task in reader.fetch_tasks(family, limit=10).tasks] == UUIDS
        assert reader.count_tasks(family).value == len(UUIDS)


def test_where_older_tasks_were_found_is_looked_first(
    writer: SQLiteWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_ids, "_REMEMBERED", 2)
    fill(writer)
    finder = sqlite_ids.TaskFinder()
    in_all: list[Sequence[object]] = []

    def select(sql: str, values: Sequence[object]) -> list[Any]:
        if partition.PARTITIONS in sql:
            in_all.append(values)
        return writer._file.select(sql, values)

    def find(*uuids: str) -> bool:
        """All are found; whether all partitions were looked into for that."""
        in_all.clear()
        assert sorted(finder.find_rows(select, uuids)) == sorted(uuids)
        return bool(in_all)

    assert not find("u5", "u4"), "the newest"
    assert find("u0")
    assert not find("u0", "u5")
    assert find("u1", "u0")
    assert in_all == [["u1"]]
    assert not find("u0", "u1")
    assert find("u2")
    assert not find("u1", "u2")
    assert find("u0"), "forgotten"
    # several of one partition are no reason to forget another
    number = f"(SELECT {PARTITION} FROM tasks WHERE uuid = 'u1')"
    writer._file.transact(
        lambda cursor: cursor.execute(
            f"UPDATE tasks SET id = ({number} << {PARTITION_BITS}) + 9 WHERE uuid = 'u3'"
        )
    )
    assert find("u1", "u3")
    assert not find("u0", "u1")


def test_no_question_for_tasks_by_their_uuids_reads_all(path: Path, writer: SQLiteWriter) -> None:
    asked: list[str] = []
    with closing(sqlite3.connect(path)) as connection:
        connection.set_trace_callback(asked.append)
        finder = sqlite_ids.TaskFinder()

        def select(sql: str, values: Sequence[object]) -> list[Any]:
            return connection.execute(sql, values).fetchall()

        assert not finder.find_rows(select, UUIDS)
        fill(writer)
        assert len(finder.find_rows(select, UUIDS)) == len(UUIDS)
        assert not finder.find_rows(select, ["nobody"])
    dialect = sa.create_engine("sqlite://").dialect
    literal = {"literal_binds": True}
    family = queries.lookups(TaskQuery(root_id="u0"), indexed=True)
    asked += [
        str(sa.select(tasks.c.id).where(*where).compile(dialect=dialect, compile_kwargs=literal))
        for where in ([partition.has_uuid("u0")], family)
    ]
    asked += [
        question.format("AND uuid IN ('a', 'b')")
        for question in (sqlite_tallies._SENT, sqlite_tallies._STANDINGS)
    ]
    assert len(asked) >= 7
    for question in asked:
        steps = [row[3] for row in writer._file.select(f"EXPLAIN QUERY PLAN {question}")]
        assert not any(step.startswith("SCAN tasks") for step in steps) or question == sqlite_ids._NEWEST, (
            question
        )


def test_a_task_changes_in_whichever_partition_it_is(path: Path, writer: SQLiteWriter) -> None:
    teller = fill(writer)
    teller.tell([told("task-succeeded", uuid, 20) for uuid in UUIDS])
    # of this one more than an end usually changes
    teller.tell([Event(type="task-sent", hostname="client", timestamp=EPOCH - 1, uuid="u2", name="other")])
    with closing(SQLiteReader(path, buckets=BUCKETS)) as reader:
        shown = reader.fetch_tasks(TaskQuery(sort="received", descending=False), limit=10).tasks
        assert shown == teller.tasks
        assert [task.state for task in shown] == ["SUCCESS"] * len(UUIDS)


@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_a_file_that_is_put_in_place_of_another_gets_no_task_twice(
    path: Path, writer: SQLiteWriter, chunks: int
) -> None:
    """Whoever looked a task up in the file before knows nothing of the one that is there now."""
    fill(writer)
    assert not writer._chunks._doubtful
    writer.close()
    saved = path.read_bytes()
    path.unlink()
    writer.open()
    Teller(writer).tell([told("task-sent", "x", 1)])
    for file in path.parent.glob("h.sqlite3*"):
        if file.suffix != ".lock":
            file.unlink()
    path.write_bytes(saved)
    for number in range(chunks):
        Teller(writer).tell([told("task-sent", f"y{number}", 1)])
    # by someone to whom it is new
    Teller(writer).tell([told("task-sent", "u1", 1), told("task-received", "u1", 1.5)])
    count = "SELECT count(*), count(DISTINCT uuid) FROM tasks"
    assert writer._file.select(count) == [(len(UUIDS) + chunks, len(UUIDS) + chunks)]
    for number in range(3):
        Teller(writer).tell([told("task-sent", f"z{number}", 1)])
    assert not writer._chunks._doubtful, "from now on nothing is looked for"


@pytest.mark.parametrize("count", [1, 3, 4, 6])
def test_lists_walk_the_index_of_uuids_as_long_as_one_statement_can(
    path: Path, writer: SQLiteWriter, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(paging, "MOST_MERGED", 4)
    monkeypatch.setattr(paging, "SMALL_BLOCK", 0)
    merged = []
    fetch = SteppedView.fetch

    def watch(view: SteppedView, statement: sa.Executable) -> Any:
        merged.append(str(statement).count("UNION ALL") + 1)
        return fetch(view, statement)

    monkeypatch.setattr(SteppedView, "fetch", watch)
    fill(writer, count)
    with closing(SQLiteReader(path, buckets=BUCKETS)) as reader:
        shown = reader.fetch_tasks(TaskQuery(sort="name", descending=False), limit=10).tasks
    assert [task.uuid for task in shown] == UUIDS[:count]
    assert max(merged) == (count if count <= 4 else 1)
