"""`control.sqlite3` and the audit in it: kept apart from the history, never lost, never taken from somebody else."""

import fcntl
import multiprocessing
import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from umbel.errors import CursorError, StoreRefused, StoreUnavailable
from umbel.store.audit import KEEP_SECONDS, LONGEST_WAIT, PRUNE_EVERY, Asker, AuditLog
from umbel.store.control_file import FILE_NAME, ControlFile
from umbel.store.control_schema import control_metadata

ANN = Asker("ann", "basic", "10.0.0.7")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


def make_audit(
    path: Path, *, broker: str = "redis://localhost:6379/0", at: list[float] | None = None
) -> AuditLog:
    times = at if at is not None else [1000.0]
    return AuditLog(ControlFile(path), broker, now=lambda: times[0])


def test_a_command_is_written_before_and_completed_after(path: Path) -> None:
    at = [1000.0]
    audit = make_audit(path, at=at)
    number = audit.begin(
        ANN, action="revoke", target="t1", parameters={"terminate": True, "signal": "SIGKILL"}
    )
    (row,), following = make_audit(path).fetch(limit=10)
    assert (row.id, row.time, row.ended, row.outcome, row.answers) == (number, 1000.0, None, "requested", {})
    assert (row.who, row.login, row.address) == ("ann", "basic", "10.0.0.7")
    assert row.parameters == {"terminate": True, "signal": "SIGKILL"}
    assert following is None
    at[0] = 1001.5
    audit.complete(number, outcome="partly", answers={"confirmed": {"w1": "ok"}, "silent": ["w2"]})
    (row,), _ = audit.fetch(limit=10)
    assert (row.ended, row.outcome) == (1001.5, "partly")
    assert row.answers == {"confirmed": {"w1": "ok"}, "silent": ["w2"]}


def test_pages_follow_each_other_newest_first(path: Path) -> None:
    audit = make_audit(path)
    for number in range(7):
        audit.begin(ANN, action="revoke" if number % 2 else "shutdown", target=f"t{number}", parameters={})
    seen, cursor = [], None
    while True:
        rows, cursor = audit.fetch(limit=3, cursor=cursor)
        seen += [row.target for row in rows]
        if cursor is None:
            break
    assert seen == ["t6", "t5", "t4", "t3", "t2", "t1", "t0"]
    assert [row.target for row in audit.fetch(limit=9, action="revoke")[0]] == ["t5", "t3", "t1"]
    assert [row.target for row in audit.fetch(limit=9, target="t4", who="ann")[0]] == ["t4"]
    assert audit.fetch(limit=9, who="bert") == ([], None)
    for cursor in ("", "x", "-1", "٣", "1" * 30):
        with pytest.raises(CursorError):
            audit.fetch(limit=1, cursor=cursor)


def test_each_broker_has_its_own_rows(path: Path) -> None:
    one, other = make_audit(path), make_audit(path, broker="amqp://mq:5672//")
    one.begin(ANN, action="revoke", target="a", parameters={})
    other.begin(ANN, action="revoke", target="b", parameters={})
    assert [row.target for row in one.fetch(limit=9)[0]] == ["a"]
    assert [row.target for row in other.fetch(limit=9)[0]] == ["b"]


def test_whatever_is_asked_can_be_written_down(path: Path) -> None:
    audit = make_audit(path)
    odd = {"text": "\ud800\x00", "n": 10**40, "nan": float("nan"), "deep": [{"\udfff": [1, None, True]}]}
    audit.begin(Asker(None, "none", ""), action="apply", target="\udcff", parameters=odd)
    (row,), _ = audit.fetch(limit=1)
    assert row.target == "\\udcff"
    assert row.parameters["n"] == str(10**40)
    assert row.parameters["deep"] == [{"\\udfff": [1, None, True]}]


def test_old_rows_go(path: Path) -> None:
    at = [1000.0]
    audit = make_audit(path, at=at)
    for _ in range(PRUNE_EVERY - 1):
        audit.begin(ANN, action="revoke", target="old", parameters={})
    at[0] += KEEP_SECONDS + 1
    audit.begin(ANN, action="revoke", target="new", parameters={})
    assert [row.target for row in audit.fetch(limit=1000)[0]] == ["new"]


def test_the_file_is_its_owners_only(path: Path) -> None:
    make_audit(path).begin(ANN, action="revoke", target="t", parameters={})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"not a database", b"SQLite format 3\0" + b"x" * 200])
def test_a_file_of_somebody_else_is_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreRefused, match="left alone"):
        ControlFile(path).open()
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_a_database_of_somebody_else_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE x (y)")
    other.close()
    with pytest.raises(StoreRefused, match="left alone"):
        ControlFile(path).open()


def test_a_file_of_a_newer_umbel_is_left_alone(path: Path) -> None:
    make_audit(path).begin(ANN, action="revoke", target="t", parameters={})
    with closing(sqlite3.connect(path)) as newer, newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.close()
    with pytest.raises(StoreRefused, match="9999"):
        ControlFile(path).open()


@pytest.mark.parametrize("damage", ["overwritten", "cut", "middle"])
def test_a_damaged_file_is_kept_aside_and_a_new_one_begun(path: Path, damage: str) -> None:
    audit = make_audit(path)
    for _ in range(200):
        audit.begin(ANN, action="revoke", target="t" * 500, parameters={})
    whole = path.read_bytes()
    for name in ("-wal", "-shm"):
        Path(f"{path}{name}").unlink(missing_ok=True)
    if damage == "overwritten":
        path.write_bytes(b"\xff" * 4096 + whole[4096:])
    elif damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    else:
        half = len(whole) // 2
        path.write_bytes(whole[:half] + b"\xff" * 8192 + whole[half + 8192 :])
    again = make_audit(path)
    again.begin(ANN, action="revoke", target="after", parameters={})
    assert [row.target for row in again.fetch(limit=9)[0]] == ["after"]
    assert len(list(path.parent.glob("*.damaged-*"))) >= 1


def test_a_file_that_was_removed_is_made_anew(path: Path) -> None:
    audit = make_audit(path)
    audit.begin(ANN, action="revoke", target="before", parameters={})
    path.unlink()
    audit.begin(ANN, action="revoke", target="after", parameters={})
    assert [row.target for row in audit.fetch(limit=9)[0]] == ["after"]


def test_each_process_with_the_file_has_a_number_of_its_own(path: Path) -> None:
    one, other = ControlFile(path), ControlFile(path)
    with one.slot() as first, other.slot() as second:
        assert (first, second) == (0, 1)
        with one.slot() as third:
            assert third == 2
    with other.slot() as again:
        assert again == 0


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StoreUnavailable):
        make_audit(blocked / FILE_NAME).begin(ANN, action="revoke", target="t", parameters={})
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(StoreRefused, match="directory"):
        ControlFile(tmp_path / FILE_NAME).open()


def write_many(path: str, who: str, count: int) -> None:
    audit = make_audit(Path(path))
    for number in range(count):
        audit.begin(Asker(who, "basic", ""), action="revoke", target=str(number), parameters={})


def test_several_processes_make_and_write_it_at_once(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=write_many, args=(str(path), f"p{n}", 25)) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    rows, _ = make_audit(path).fetch(limit=1000)
    assert len(rows) == 100
    assert len({row.id for row in rows}) == 100
    assert not list(path.parent.glob("*.damaged-*"))
    assert os.path.exists(f"{path}.lock")


def test_a_file_that_another_process_is_making_is_waited_for(path: Path) -> None:
    """Its first pages are a database without our mark; whoever makes it holds the lock until they are ours."""
    lock = Path(f"{path}.lock")
    with lock.open("w") as held, ThreadPoolExecutor(1) as pool:
        fcntl.flock(held, fcntl.LOCK_EX)
        with closing(sqlite3.connect(path)) as half, half:
            half.execute("CREATE TABLE alembic_version (version_num TEXT)")
        half.close()
        opening = pool.submit(ControlFile(path).open)
        with pytest.raises(TimeoutError):
            opening.result(0.3)
        # the other process went on: what lies there now is whole
        ControlFile(whole := path.with_name("whole.sqlite3")).open()
        os.replace(whole, path)
        fcntl.flock(held, fcntl.LOCK_UN)
        opening.result(10)
    make_audit(path).begin(ANN, action="revoke", target="t", parameters={})


def test_a_foreign_file_is_refused_though_a_lock_lies_beside_it(path: Path) -> None:
    with closing(sqlite3.connect(path)) as foreign, foreign:
        foreign.execute("CREATE TABLE theirs (x)")
    foreign.close()
    before = path.read_bytes()
    Path(f"{path}.lock").touch()
    with pytest.raises(StoreRefused):
        ControlFile(path).open()
    assert path.read_bytes() == before


def test_commands_of_ended_servers_are_given_up_and_those_of_living_ones_kept(path: Path) -> None:
    at = [1000.0]

    def audit_of(server: int | None) -> AuditLog:
        return AuditLog(ControlFile(path), "b", now=lambda: at[0], server=server)

    with ControlFile(path).slot() as living, ExitStack() as stack:
        killed = stack.enter_context(ControlFile(path).slot())
        for server in (living, killed, None):
            audit = audit_of(server)
            audit.begin(ANN, action="revoke", target=f"of {server}", parameters={})
            done = audit.begin(ANN, action="revoke", target="done", parameters={})
            audit.complete(done, outcome="confirmed", answers={})
        # while all live nobody is given up
        with ControlFile(path).slot() as third:
            assert audit_of(third).give_up_orphans() == 0
        stack.close()
        # a server that takes a number takes the orphans of its last owner too, and no other living server's
        with ControlFile(path).slot() as again:
            assert again == killed
            assert audit_of(again).give_up_orphans() == 1
            assert audit_of(again).give_up_orphans() == 0
            rows = {row.target: row for row in audit_of(again).fetch(limit=9)[0] if row.target != "done"}
        gone = rows[f"of {killed}"]
        assert (gone.outcome, gone.ended) == ("unknown", None)
        assert gone.answers == {"detail": "the server ended before the answers came"}
        assert (rows[f"of {living}"].outcome, rows["of None"].outcome) == ("requested", "requested")
        # a server without a number can't be asked whether it lives: no command takes so long
        at[0] += LONGEST_WAIT + 1
        assert audit_of(None).give_up_orphans() == 1
        # who lives after all has the last word
        late = audit_of(living)
        late.complete(rows[f"of {living}"].id, outcome="partly", answers={})
        assert audit_of(None).give_up_orphans() == 0


def test_a_file_of_the_first_schema_has_its_open_commands_listed(path: Path) -> None:
    make_audit(path).begin(ANN, action="revoke", target="t", parameters={})
    with closing(sqlite3.connect(path)) as older, older:
        for table in sorted(set(control_metadata.tables) - {"audit"}):
            older.execute(f"DROP TABLE {table}")
        older.execute("UPDATE alembic_version SET version_num = '0001'")
    older.close()
    audit = make_audit(path, at=[1000.0 + LONGEST_WAIT + 1])
    assert audit.give_up_orphans() == 1
    assert audit.fetch(limit=1)[0][0].outcome == "unknown"
