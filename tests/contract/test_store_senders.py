"""Senders come and go by the thousand, pods as well as processes that send tasks: what is kept of them is bounded."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.teller import BUCKETS, EPOCH, Teller, succeeded
from umbel.model.event import Event
from umbel.model.worker import Worker
from umbel.store import sqlite_write
from umbel.store.base import Changes
from umbel.store.packed import pack_worker
from umbel.store.retention import SENDER_AGE, Limits
from umbel.store.sender_counts import SenderCounters
from umbel.store.sqlite_reader import SQLiteReader
from umbel.store.sqlite_writer import SQLiteWriter

DAY = 86400.0
TABLES = {
    "counters": "SELECT DISTINCT worker FROM counters",
    "runtimes": "SELECT DISTINCT worker FROM runtimes",
    "rollups": "SELECT DISTINCT label FROM rollups WHERE kind = 'worker'",
    "senders": "SELECT hostname FROM senders",
}


class History:
    """A history whose clock is set by hand, one day after another."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        self.now = EPOCH
        self.writer = SQLiteWriter(path, limits=limits, buckets=BUCKETS, clock=lambda: self.now)
        self.writer.open()
        self.reader = SQLiteReader(path, buckets=BUCKETS)
        self._teller = Teller(self.writer)

    def close(self) -> None:
        self.reader.close()
        self.writer.close()

    def live(self, day: int, worker: str, client: str) -> None:
        """On that day the client sends a task, which the worker does; then retention runs."""
        self.now = at = EPOCH + day * DAY
        sent = Event(
            type="task-sent", uuid=f"u{day}", hostname=client, timestamp=at - 1, received_at=at, pid=3
        )
        self._teller.tell([sent, *succeeded(f"u{day}", at=at, worker=worker)])
        self.writer.prune(now=at)

    def list_worker(self, hostname: str, *, removed: bool = False) -> None:
        packed = pack_worker(Worker(hostname=hostname))
        self.writer.write(Changes(workers_removed=[hostname]) if removed else Changes(workers=[packed]))

    def fetch(self) -> dict[str, set[str]]:
        """Table -> of whom there is something in it."""
        with closing(sqlite3.connect(self.path)) as connection:
            return {table: {name for (name,) in connection.execute(sql)} for table, sql in TABLES.items()}


@pytest.mark.parametrize(
    ("limits", "age"),
    [
        (Limits(), 30),
        (Limits(age=1 * DAY), 30),
        (Limits(age=90 * DAY), 90),
        (Limits(age=None, tasks=50), 30),
        (Limits(age=None), 1000),
    ],
    ids=["default", "shorter", "longer", "by number", "never"],
)
def test_what_is_kept_of_a_sender_goes_when_it_has_been_silent_for_long(
    tmp_path: Path, limits: Limits, age: int
) -> None:
    with closing(History(tmp_path / "h.sqlite3", limits)) as history:
        check_what_is_kept(history, age)


def check_what_is_kept(history: History, age: int) -> None:
    counters = SenderCounters(history.reader)
    for day in range(120):
        history.live(day, f"celery@pod-{day}", f"gen{day}@web")
        assert f"celery@pod-{day}" in counters.fetch()
    left = range(max(0, 119 - age), 120)
    workers, clients = {f"celery@pod-{day}" for day in left}, {f"gen{day}@web" for day in left}
    found = history.fetch()
    assert found == {
        "counters": workers | clients, "runtimes": workers, "rollups": workers, "senders": workers | clients,
    }  # fmt: skip
    # who has read them before hears that they have gone
    assert counters.fetch().keys() == workers | clients


def test_a_listed_worker_keeps_its_totals_however_silent(tmp_path: Path) -> None:
    with closing(History(tmp_path / "h.sqlite3", Limits())) as history:
        history.list_worker("celery@a")
        history.live(0, "celery@a", "gen1@web")
        history.live(200, "celery@b", "gen2@web")
        assert history.fetch()["counters"] == {"celery@a", "celery@b", "gen2@web"}
        # not heard of, and not listed any more: gone with the next run
        history.list_worker("celery@a", removed=True)
        history.live(201, "celery@b", "gen2@web")
        assert history.fetch() == {
            "counters": {"celery@b", "gen2@web"}, "runtimes": {"celery@b"}, "rollups": {"celery@b"},
            "senders": {"celery@b", "gen2@web"},
        }  # fmt: skip


def test_a_sender_that_comes_back_begins_anew(tmp_path: Path) -> None:
    with closing(History(tmp_path / "h.sqlite3", Limits())) as history:
        for day in (0, 1, 2):
            history.live(day, "celery@a", "gen1@web")
        assert history.reader.fetch_event_totals()["celery@a"]["task-succeeded"] == 3
        history.live(40, "celery@b", "gen2@web")
        assert history.fetch()["counters"] == {"celery@b", "gen2@web"}
        history.live(41, "celery@a", "gen1@web")
        assert history.reader.fetch_event_totals()["celery@a"]["task-succeeded"] == 1
        assert history.reader.fetch_event_totals()["gen1@web"] == {"task-sent": 1}
        (tasks,) = [each.tasks for each in history.reader.fetch_packed_counts(["celery@a"]).values()]
        assert tasks.count("shop.pay") == 3
        assert '"celery@a"' not in tasks
        assert history.reader.fetch_runtimes(["celery@a"])["celery@a"].histograms == (
            history.reader.fetch_runtimes(["celery@b"])["celery@b"].histograms
        )


def test_one_that_is_heard_of_again_and_again_stays_and_is_hardly_written(tmp_path: Path) -> None:
    with closing(History(tmp_path / "h.sqlite3", Limits())) as history:
        history.live(0, "celery@a", "gen1@web")
        moments = set()
        for minute in range(0, 200, 10):
            history.now = EPOCH + minute * 60
            history.list_worker("celery@a")
            with closing(sqlite3.connect(history.path)) as connection:
                sql = "SELECT last_seen FROM senders WHERE hostname = 'celery@a'"
                moments.add(connection.execute(sql).fetchone()[0] - EPOCH)
        assert moments == {0.0, 3600.0, 7200.0, 10800.0}
        for day in range(0, 200, 20):
            history.live(day, "celery@a", "gen1@web")
        assert history.reader.fetch_event_totals()["gen1@web"]["task-sent"] == 10


def test_who_was_noted_in_what_was_undone_is_noted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(History(tmp_path / "h.sqlite3", Limits())) as history:
        with monkeypatch.context() as patch:
            patch.setattr(sqlite_write, "append_feed", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                history.list_worker("celery@a")
        assert history.fetch()["senders"] == set()
        history.list_worker("celery@a")
        assert history.fetch()["senders"] == {"celery@a"}


def test_thousands_that_are_due_at_once_go_in_steps(tmp_path: Path) -> None:
    with closing(History(tmp_path / "h.sqlite3", Limits())) as history:
        history.writer.write(
            Changes(workers=[pack_worker(Worker(hostname=f"celery@{number}")) for number in range(3_000)])
        )
        history.writer.write(Changes(workers_removed=[f"celery@{number}" for number in range(3_000)]))
        history.now += SENDER_AGE + 10
        before = history.writer.get_feed_head()
        history.writer.prune(now=history.now)
        with closing(sqlite3.connect(history.path)) as connection:
            assert connection.execute("SELECT count(*) FROM senders").fetchone() == (0,)
            # a feed row a step
            steps = connection.execute("SELECT max(id) FROM feed").fetchone()[0] - before
        assert 2 < steps < 100
