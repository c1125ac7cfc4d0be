"""The migrations build the very tables that `store.schema` and `store.control_schema` describe."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tests.contract.teller import BUCKETS, EPOCH
from umbel.model.rollup import Rollup
from umbel.store.control_file import CONTROL_ID, ControlFile
from umbel.store.control_schema import CONTROL
from umbel.store.migrate import Schema, create, upgrade
from umbel.store.retention import Limits
from umbel.store.schema import HISTORY
from umbel.store.sqlite_file import APPLICATION_ID
from umbel.store.sqlite_reader import SQLiteReader
from umbel.store.sqlite_writer import SQLiteWriter

Make = Callable[[Path], sa.Engine]


def open_file(path: Path | None) -> sa.Engine:
    """A database there, None for one in memory, whose connections are closed when they are given back."""
    return sa.create_engine(f"sqlite:///{path or ''}", poolclass=sa.NullPool)


def made_history(path: Path) -> sa.Engine:
    writer = SQLiteWriter(path, limits=Limits(), buckets=BUCKETS)
    writer.open()
    writer.close()
    return open_file(path)


def made_control(path: Path) -> sa.Engine:
    ControlFile(path).open()
    return open_file(path)


def made_history_of(version: str, path: Path) -> sa.Engine:
    """A history as an older Umbel left it."""
    engine = open_file(path)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        upgrade(connection, Schema(HISTORY.tables, version, HISTORY.scripts))
    return engine


EACH = pytest.mark.parametrize("schema", [HISTORY, CONTROL], ids=["history", "control"])


# the next test compares such indexes, by their text
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
@EACH
def test_migrations_and_tables_agree(schema: Schema) -> None:
    with open_file(None).begin() as connection:
        upgrade(connection, schema)
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.tables) == []


@EACH
def test_a_new_file_is_as_all_migrations_would_make_it(schema: Schema) -> None:
    dump = sa.text("SELECT type, name, tbl_name, sql FROM sqlite_schema")
    version = sa.text("SELECT version_num FROM alembic_version")
    with (
        open_file(None).begin() as migrated,
        open_file(None).begin() as created,
    ):
        upgrade(migrated, schema)
        create(created, schema)
        for question in (dump, version):
            answers = [connection.execute(question).fetchall() for connection in (migrated, created)]
            assert set(answers[0]) == set(answers[1])
            assert answers[0]
        assert count_rows(migrated, schema) == count_rows(created, schema)


def count_rows(connection: sa.Connection, schema: Schema) -> dict[str, int | None]:
    return {
        name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar()
        for name, table in schema.tables.tables.items()
    }


@EACH
def test_the_newest_migration_is_the_version_we_know(schema: Schema) -> None:
    config = Config()
    config.set_main_option("script_location", schema.scripts)
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [schema.version]


def test_a_new_file_needs_no_alembic(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys; from umbel.store.control_file import ControlFile;"
        f"ControlFile(pathlib.Path({str(tmp_path / 'control')!r})).open(); print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_history_of_the_first_schema_remembers_the_queues_of_its_tasks(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite3"
    with made_history_of("0001", path).begin() as connection:
        for uuid, queue, at in (("a", "'orders'", 5), ("b", "'orders'", 7), ("c", "NULL", 9)):
            insert_task(connection, uuid, at, queue)
    with made_history(path).connect() as connection:
        assert connection.exec_driver_sql("SELECT * FROM queues").fetchall() == [("orders", 4.0, 7.0)]


def insert_task(connection: sa.Connection, uuid: str, at: float, queue: str) -> None:
    columns = "uuid, state, updated, finished, ascii, redelivered, attempts, origin, clock, first_seen, marks"
    connection.exec_driver_sql(
        f"INSERT INTO tasks ({columns}, queue) "
        f"VALUES ('{uuid}', 'PENDING', {at}, 0, 1, 0, 0, 0, 0, {at - 1}, x'', {queue})"
    )


def test_an_older_history_keeps_its_rows_and_their_ids_when_its_table_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite3"
    rows = "SELECT * FROM tasks ORDER BY id"
    schema = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1, 2"
    with made_history_of("0006", path).begin() as connection:
        for number in range(50):
            insert_task(connection, f"u{number * 37 % 50}", number, "'orders'")
        connection.exec_driver_sql("DELETE FROM tasks WHERE id % 7 = 3")
        before = connection.exec_driver_sql(rows).fetchall()
    with made_history(path).connect() as connection:
        assert connection.exec_driver_sql(rows).fetchall() == before and len(before) > 40
        made = connection.exec_driver_sql(schema).fetchall()
        assert connection.exec_driver_sql("SELECT count(*) FROM rewritten").scalar() == 0
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    with made_history(tmp_path / "new.sqlite3").connect() as connection:
        assert connection.exec_driver_sql(schema).fetchall() == made
    with closing(SQLiteReader(path, buckets=BUCKETS)) as reader:
        assert list(reader.fetch_standings(["u37", "none"])) == ["u37"]


def test_hours_of_an_older_history_are_not_counted_twice(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite3"
    minute = int(EPOCH // 3600) * 3600
    bucket = msgspec.msgpack.encode(Rollup({"received": 3})).hex()
    with made_history_of("0005", path).begin() as connection:
        for span in (60, 3600, 86400):
            start = minute // span * span
            row = f"({span}, 'task', 'shop.pay', {start}, x'{bucket}')"
            connection.exec_driver_sql(f"INSERT INTO rollups VALUES {row}")
    made_history(path).dispose()
    with closing(SQLiteReader(path, buckets=BUCKETS)) as reader:
        for span in (60, 3600, 86400):
            found = reader.fetch_rollups(kind="task", label=None, span=span, start=0, end=2 * EPOCH)
            assert [bucket.counts for _, bucket in found] == [{"received": 3}], span


def test_senders_of_an_older_history_were_all_heard_of_now(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite3"
    with made_history_of("0007", path).begin() as connection:
        for worker, kind in (
            ("celery@a", "task-received"),
            ("celery@a", "task-started"),
            ("gen1@b", "task-sent"),
        ):
            connection.exec_driver_sql(f"INSERT INTO counters VALUES ('{worker}', 'shop.pay', '{kind}', 3)")
    before = time.time()
    with made_history(path).connect() as connection:
        found = connection.exec_driver_sql("SELECT * FROM senders ORDER BY 1").fetchall()
    assert [hostname for hostname, _ in found] == ["celery@a", "gen1@b"]
    assert all(before - 2 < last_seen <= time.time() for _, last_seen in found)


def test_of_an_older_history_tasks_may_have_been_taken(tmp_path: Path) -> None:
    path, whole = tmp_path / "h.sqlite3", tmp_path / "whole.sqlite3"
    columns = "uuid, state, updated, finished, ascii, redelivered, attempts, origin, clock, first_seen, marks"
    with made_history_of("0008", path).begin() as connection:
        for uuid, updated, finished in (("open", 5.5, 0), ("b", 20.25, 1), ("a", 10.25, 1)):
            connection.exec_driver_sql(
                f"INSERT INTO tasks ({columns}) VALUES ('{uuid}', 'X', {updated}, {finished}, 1, 0, 0, 0, 0, 0, x'')"
            )
    made_history_of("0008", whole).dispose()
    for file, since in ((path, 10.25), (whole, None)):
        made_history(file).dispose()
        with closing(SQLiteReader(file, buckets=BUCKETS)) as reader:
            assert reader.fetch_extent().since == since


@pytest.mark.parametrize(("make", "mark"), [(made_history, APPLICATION_ID), (made_control, CONTROL_ID)])
def test_space_can_come_back_and_the_file_is_ours(tmp_path: Path, make: Make, mark: int) -> None:
    with make(tmp_path / "h.sqlite3").connect() as connection:
        assert connection.exec_driver_sql("PRAGMA auto_vacuum").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA application_id").scalar() == mark
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
