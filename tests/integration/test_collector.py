"""The collector process from a real broker to a real history: stored, killed, restarted, fed with rubbish."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from tests.apps.tasks import make_app
from tests.conftest import WorkerFactory
from tests.integration.running_collector import RunningCollector
from tests.servers import RedisServer
from tests.servers.process import wait_for
from umbel.ingest.settings import CollectorSettings
from umbel.model.task import Task
from umbel.store.base import TaskQuery
from umbel.store.search import parse_search
from umbel.store.search_index import index_path


@pytest.mark.timeout(120)
def test_tasks_of_a_worker_without_events_are_stored_once_they_are_enabled(
    redis_url: str, tmp_path: Path, celery_worker: WorkerFactory
) -> None:
    worker = celery_worker(redis_url, events=False)
    with RunningCollector(redis_url, tmp_path) as collector:
        collector.wait_for_status(worker.hostname, "online", 20.0)
        app = make_app(redis_url)

        def add_and_look() -> Task | None:
            """Return a task whose whole life was heard; of the first ones nothing or only the end may be."""
            app.send_task("tests.add", (2, 3), retry=False)
            whole = TaskQuery(name="tests.add", states=("SUCCESS",))
            return next(iter(collector.reader.fetch_tasks(whole, limit=1).tasks), None)

        try:
            task = wait_for(add_and_look, 20.0)
        finally:
            app.close()
        assert task is not None
        assert (task.name, task.result, task.worker) == ("tests.add", "5", worker.hostname)
        assert collector.process.healthy
        assert collector.process.restarts == 0


@pytest.mark.timeout(120)
@pytest.mark.parametrize("redact", [True, False])
def test_secrets_reach_no_file_unless_they_may(
    redis_url: str, tmp_path: Path, celery_worker: WorkerFactory, redact: bool
) -> None:
    """Whether a task is told of at once, when the writer masks it, or bit by bit."""
    celery_worker(redis_url)
    with RunningCollector(redis_url, tmp_path, redact=redact) as collector:
        app = make_app(redis_url)
        try:
            waiting = app.send_task("tests.echo", ({"password": "hunter2"},), countdown=2, retry=False).id
            quick = [
                app.send_task("tests.echo", ({"password": "hunter2"},), retry=False).id for _ in range(20)
            ]
            for uuid in (*quick, waiting):
                collector.wait_for_state(uuid, "SUCCESS")
        finally:
            app.close()
        for uuid in (*quick, waiting):
            detail = collector.reader.fetch_task(uuid)
            assert detail is not None and detail.task.args is not None and detail.task.result is not None
            assert ("hunter2" in detail.task.args + detail.task.result) != redact
        written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert (b"hunter2" in written) != redact


@pytest.mark.timeout(120)
@pytest.mark.parametrize("wanted", [True, False])
def test_the_search_index_is_kept_where_it_is_wanted(
    redis_url: str, tmp_path: Path, celery_worker: WorkerFactory, wanted: bool
) -> None:
    celery_worker(redis_url)
    index = index_path(tmp_path / "history.sqlite3")
    index.write_bytes(b"what an earlier run left")
    with RunningCollector(redis_url, tmp_path, search_index=wanted) as collector:
        app = make_app(redis_url)
        try:
            uuid = app.send_task("tests.add", (4711, 1), retry=False).id
            collector.wait_for_state(uuid, "SUCCESS")
        finally:
            app.close()
        if wanted:
            wait_for(lambda: _holds(index, "471"), 20.0)
        else:
            assert not index.exists()
        query = TaskQuery(search=parse_search("4711"))
        assert [task.uuid for task in collector.reader.fetch_tasks(query, limit=9).tasks] == [uuid]


def _holds(index: Path, text: str) -> bool:
    """Some entry of the search index has this text."""
    try:
        with closing(sqlite3.connect(f"{index.as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT rowid FROM part_1 WHERE part_1 MATCH ?", (text,)).fetchall()
    except sqlite3.Error:
        return False
    return bool(rows)


@pytest.mark.timeout(120)
def test_a_killed_collector_is_started_again_and_its_absence_is_a_gap(redis_url: str, tmp_path: Path) -> None:
    with RunningCollector(redis_url, tmp_path) as collector:
        first = collector.process.pid
        assert first is not None
        killed = time.time()
        os.kill(first, signal.SIGKILL)
        # its last word is not believed until its successor speaks
        dead = collector.wait_for(lambda status: status.pid != first or status.state != "connected", 5.0)
        assert (dead.pid, dead.state, dead.proof_at) == (first, "connecting", None)
        collector.wait_for(lambda status: status.pid != first and status.state == "connected", 40.0)
        assert collector.process.restarts == 1
        gap = wait_for(lambda: next(iter(collector.reader.fetch_gaps()), None), 5.0)
        assert gap is not None
        assert gap.cause == "monitor-down"
        assert gap.lossy
        assert killed - 5 < gap.start <= killed < (gap.end or 0.0)


@pytest.mark.timeout(120)
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_killed_writer_ends_the_collector_and_both_are_started_again(
    redis_url: str, tmp_path: Path, celery_worker: WorkerFactory
) -> None:
    celery_worker(redis_url)
    with RunningCollector(redis_url, tmp_path) as collector:
        first = collector.process.pid
        assert first is not None
        (writer,) = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        os.kill(int(writer), signal.SIGKILL)
        collector.wait_for(lambda status: status.pid != first and status.state == "connected", 40.0)
        assert collector.process.restarts == 1
        gap = wait_for(lambda: next(iter(collector.reader.fetch_gaps()), None), 5.0)
        assert gap is not None
        assert (gap.cause, gap.lossy) == ("monitor-down", True)
        app = make_app(redis_url)
        try:
            uuid = app.send_task("tests.add", (2, 3), retry=False).id
            collector.wait_for_state(uuid, "SUCCESS")
        finally:
            app.close()


@pytest.mark.timeout(120)
def test_an_idle_collector_says_now_and_then_that_it_lives_and_writes_nothing(
    redis_url: str, tmp_path: Path
) -> None:
    with RunningCollector(redis_url, tmp_path, connect=False) as collector:
        collector.wait_for(lambda status: status.state == "connected", 40.0)
        log, told = Path(f"{collector.path}-wal"), Path(f"{collector.path}.lock")

        def is_quiet() -> bool:
            """Three signs of life in a row, and no write to the history."""
            before = log.stat().st_mtime_ns
            said = set()
            until = time.monotonic() + 9.5
            while time.monotonic() < until:
                said.add(told.read_text().split()[2:3][0])
                time.sleep(0.1)
            return len(said) >= 3 and log.stat().st_mtime_ns == before

        wait_for(is_quiet, 30.0, retry=(IndexError, FileNotFoundError))
        status = collector.reader.fetch_status()
        assert status is not None
        assert time.time() - status.time < 5
        assert time.time() - (status.proof_at or 0) < 10
        pid = collector.process.pid
        assert pid is not None
        killed = time.time()
        os.kill(pid, signal.SIGKILL)
        gap = wait_for(lambda: next(iter(collector.reader.fetch_gaps()), None), 40.0)
        assert gap is not None
        assert killed - 5 < gap.start <= killed


@pytest.mark.timeout(120)
def test_on_rabbitmq_what_was_sent_while_we_were_down_is_stored(rabbitmq_url: str, tmp_path: Path) -> None:
    with RunningCollector(rabbitmq_url, tmp_path):
        pass
    app = make_app(rabbitmq_url, task_send_sent_event=True)
    try:
        uuid = app.send_task("tests.add", (1, 1), retry=False).id
    finally:
        app.close()
    with RunningCollector(rabbitmq_url, tmp_path) as collector:
        collector.wait_for_state(uuid, "PENDING")
        gap = wait_for(lambda: next(iter(collector.reader.fetch_gaps()), None), 5.0)
        assert gap is not None
        assert (gap.cause, gap.lossy) == ("monitor-down", False)


@pytest.mark.timeout(120)
def test_rubbish_is_counted_by_cause_and_harms_nothing(
    redis_server: RedisServer, redis_url: str, tmp_path: Path
) -> None:
    database = redis_url.rpartition("/")[2]
    channel = f"/{database}.celeryev/task.multi"

    def envelope(body: str, content_type: str = "application/json") -> str:
        return json.dumps(
            {
                "body": body,
                "content-type": content_type,
                "properties": {"body_encoding": "utf-8"},
                "headers": {},
            }
        )

    kinds = {
        "envelope": "not even json",
        "json": envelope('{"type": "task-'),
        "not-an-event": envelope('{"type": 3}'),
        "content-type": envelope("gASV", "application/x-python-serialize"),
        "timestamp": envelope('{"type": "task-sent", "hostname": "a", "uuid": "b", "timestamp": null}'),
    }
    with RunningCollector(redis_url, tmp_path) as collector, redis_server.client() as client:
        for number in range(10_000):
            client.publish(channel, list(kinds.values())[number % len(kinds)])
        for _ in range(3):
            client.publish(channel, envelope("x" * 10 * 2**20))
        good = {"type": "task-sent", "hostname": "gen1@web", "uuid": "t-good", "timestamp": time.time()}
        client.publish(channel, envelope(json.dumps(good)))

        collector.wait_for_state("t-good", "PENDING", 60.0)
        status = collector.wait_for(lambda status: sum(status.malformed.values()) == 10_003, 20.0)
        assert status.malformed == {**dict.fromkeys(kinds, 2000), "too-big": 3}
        assert status.state == "connected"
        assert collector.process.restarts == 0


@pytest.mark.timeout(120)
def test_a_collector_stores_what_it_holds_and_exits_when_its_parent_is_gone(
    redis_url: str, tmp_path: Path
) -> None:
    settings = CollectorSettings(
        celery={"broker_url": redis_url}, store_path=str(tmp_path / "h.sqlite3"), store_id="test"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "umbel.ingest.collector"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        process.stdin.write(msgspec.json.encode(settings) + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["state"] == "connecting"
        process.stdin.close()
        assert process.wait(30) == 0


@pytest.mark.timeout(120)
def test_a_second_collector_waits_for_the_first_and_does_not_read_events(
    redis_url: str, tmp_path: Path
) -> None:
    with (
        RunningCollector(redis_url, tmp_path) as first,
        RunningCollector(redis_url, tmp_path, connect=False) as second,
    ):
        status = second.wait_for(lambda status: status.store_error != "", 40.0)
        assert status.state == "standby"
        assert first.process.healthy
