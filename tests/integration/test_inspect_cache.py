"""The inspect cache and results with real workers: filled, followed, shared, without secrets."""

import logging
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from tests.apps.tasks import make_app
from tests.conftest import WorkerFactory
from tests.integration.told_history import ToldHistory, told_history
from tests.integration.web_server import make_deps, serving
from tests.servers import RedisServer, free_port, wait_for
from umbel.control.inspect import BRIEF, FULL, Inspector
from umbel.control.switchboard import Switchboard
from umbel.errors import InspectError
from umbel.model.worker import Worker, WorkerStatus

OPEN = {"FLOWER_UNAUTHENTICATED_API": "true"}


class Watched:
    """An inspector with workers as the history would show them, and who gave evidence."""

    def __init__(self, app: Celery, *, grace: float = 3600.0, **options: Any) -> None:
        self.workers: list[Worker] = []
        self.evidence: set[str] = set()
        self.looks = 0
        self.inspector = Inspector(
            Switchboard(app),
            timeout=1.0,
            fetch_workers=self.fetch_workers,
            on_evidence=self.evidence.update,
            grace=grace,
            **options,
        )

    def fetch_workers(self) -> list[Worker]:
        self.looks += 1
        return list(self.workers)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[ToldHistory]:
    with told_history(tmp_path) as told:
        yield told


def test_a_refresh_of_all_is_brief_and_one_of_one_is_full(
    redis_url: str, celery_worker: WorkerFactory
) -> None:
    worker, other = (celery_worker(redis_url).wait_until_answering() for _ in range(2))
    watched = Watched(make_app(redis_url))
    watched.inspector.refresh()
    cached = watched.inspector.get_workers()
    assert cached.keys() == watched.evidence == {worker.hostname, other.hostname}
    assert cached[worker.hostname].keys() == {*BRIEF, "timestamp"}
    watched.inspector.refresh(worker.hostname)
    cached = watched.inspector.get_workers()
    assert cached[worker.hostname].keys() == {*FULL, "timestamp"}
    assert cached[other.hostname].keys() == {*BRIEF, "timestamp"}
    watched.inspector.stop()
    bounded = Watched(make_app(redis_url), max_workers=1)
    bounded.inspector.refresh()
    assert len(bounded.inspector.get_workers()) == 1
    bounded.inspector.stop()


def test_refreshes_at_the_same_time_share_one_run(redis_url: str) -> None:
    watched = Watched(make_app(redis_url))
    futures = {id(watched.inspector.request()) for _ in range(20)}
    assert len(futures) == 1
    watched.inspector.refresh()
    watched.inspector.stop()


def test_a_new_worker_is_asked_as_soon_as_somebody_tells_of_it(
    redis_url: str, celery_worker: WorkerFactory
) -> None:
    watched = Watched(make_app(redis_url), follow_every=3600.0)
    watched.inspector.start()
    wait_for(lambda: watched.looks == 0 and not watched.inspector._running, 20.0)
    worker = celery_worker(redis_url)
    watched.workers.append(Worker(hostname=worker.hostname, status=WorkerStatus.ONLINE))
    watched.inspector.note_change()
    wait_for(lambda: watched.inspector.get_workers().keys() == {worker.hostname}, 20.0)
    assert watched.looks == 1
    watched.inspector.stop()


def test_no_password_leaves_the_worker(celery_worker: WorkerFactory) -> None:
    with RedisServer(password="hunter2") as server:
        worker = celery_worker(server.url, backend=server.url).wait_until_answering()
        watched = Watched(make_app(server.url))
        watched.inspector.refresh(worker.hostname)
        text = repr(watched.inspector.get_workers())
        assert "stats" in text
        assert "hunter2" not in text
        assert "alternates" not in text
        watched.inspector.stop()


def test_the_cache_follows_workers_that_come_restart_and_go(
    redis_url: str, celery_worker: WorkerFactory
) -> None:
    worker = celery_worker(redis_url)
    watched = Watched(make_app(redis_url), grace=0.0)
    watched.inspector.start()
    wait_for(lambda: worker.hostname in watched.inspector.get_workers(), 15.0)
    newcomer = celery_worker(redis_url)
    now = time.time()
    watched.workers = [
        Worker(hostname=name, status=WorkerStatus.ONLINE, heard=now)
        for name in (worker.hostname, newcomer.hostname)
    ]
    wait_for(lambda: newcomer.hostname in watched.inspector.get_workers(), 15.0)
    watched.workers[0] = Worker(hostname=worker.hostname, status=WorkerStatus.STOPPED, heard=now)
    wait_for(lambda: worker.hostname not in watched.inspector.get_workers(), 15.0)
    assert newcomer.hostname in watched.inspector.get_workers()
    assert watched.inspector.healthy()
    watched.inspector.stop()
    wait_for(lambda: not watched.inspector.healthy(), 5.0)


def test_all_are_asked_again_now_and_then(redis_url: str, celery_worker: WorkerFactory) -> None:
    worker = celery_worker(redis_url).wait_until_answering()
    app = make_app(redis_url)
    watched = Watched(app, refresh_every=1.0)
    watched.inspector.start()

    def count_processes() -> int:
        pool = watched.inspector.get_worker(worker.hostname).get("stats", {}).get("pool", {})
        return len(pool.get("processes", ()))

    wait_for(lambda: count_processes() == 1, 15.0)
    app.control.pool_grow(1, destination=[worker.hostname], reply=True)
    wait_for(lambda: count_processes() == 2, 15.0)
    watched.inspector.stop()


def test_a_broker_in_trouble_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched(make_app(f"redis://127.0.0.1:{free_port()}/0"))
    with caplog.at_level(logging.WARNING, "umbel.control.inspect"), pytest.raises(InspectError):
        watched.inspector.refresh()
    lines = [record for record in caplog.records if record.name == "umbel.control.inspect"]
    assert {record.getMessage().split("'")[1] for record in lines} == set(BRIEF)
    assert not any(record.exc_info or "\n" in record.getMessage() for record in lines)
    watched.inspector.stop()


def test_flowers_workers_come_from_the_cache(
    redis_url: str, celery_worker: WorkerFactory, history: ToldHistory, tmp_path: Path
) -> None:
    worker = celery_worker(redis_url).wait_until_answering()
    app = make_app(redis_url, redis_url)
    heard: list[Collection[str]] = []
    inspector = Inspector(
        Switchboard(app), timeout=1.0, fetch_workers=history.reader.fetch_workers, on_evidence=heard.append
    )
    with serving(make_deps(history.reader, tmp_path, app=app, environ=OPEN, inspector=inspector)) as server:
        assert server.get("/api/workers").text == "{}"
        refreshed = server.get("/api/workers?refresh=1").json()
        assert refreshed.keys() == {worker.hostname}
        assert server.get("/api/workers").json() == refreshed
        one = server.get(f"/api/workers?refresh=true&workername={worker.hostname}").json()
        assert one[worker.hostname]["active"] == []
        assert server.get(f"/worker/{worker.hostname}").status != 404
        queues = server.get("/api/queues/length").json()
        assert queues == {"active_queues": [{"name": "celery", "messages": 0}]}
        broken = server.get("/api/workers?refresh=1&workername=nope@test")
        assert (broken.status, broken.text) == (404, "Unknown worker 'nope@test'")
    inspector.stop()


def test_a_refresh_without_a_broker_is_503(history: ToldHistory, tmp_path: Path) -> None:
    app = make_app(f"redis://127.0.0.1:{free_port()}/0")
    with serving(make_deps(history.reader, tmp_path, app=app, environ=OPEN)) as server:
        answer = server.get("/api/workers?refresh=1")
        assert answer.status == 503
        assert answer.text.startswith("Failed to update workers: ")
        assert server.get("/api/queues/length").status == 503


def test_results_come_from_the_backend(
    redis_url: str, celery_worker: WorkerFactory, history: ToldHistory, tmp_path: Path
) -> None:
    celery_worker(redis_url, backend=redis_url)
    app = make_app(redis_url, redis_url)
    with app.connection_for_write() as connection:
        add = app.send_task("tests.add", (2, 3), connection=connection)
        fail = app.send_task("tests.fail", connection=connection)
    with serving(make_deps(history.reader, tmp_path, app=app, environ=OPEN)) as server:

        def ask(uuid: str, query: str = "") -> Any:
            return server.get(f"/api/task/result/{uuid}{query}")

        assert ask(add.id, "?timeout=20").json() == {"task-id": add.id, "state": "SUCCESS", "result": 5}
        failed = ask(fail.id, "?timeout=20").json()
        assert list(failed) == ["task-id", "state", "result", "traceback"]
        assert (failed["state"], failed["result"]) == ("FAILURE", "ValueError('no such order')")
        began = time.monotonic()
        assert ask("unknown", "?timeout=0.5").json() == {"task-id": "unknown", "state": "PENDING"}
        assert time.monotonic() - began >= 0.5
        assert ask("unknown", "?timeout=x").text == "Invalid argument 'x' of type 'float'"


def test_results_of_a_backend_that_is_down_are_503(
    redis_url: str, history: ToldHistory, tmp_path: Path
) -> None:
    app = make_app(redis_url, f"redis://127.0.0.1:{free_port()}/0")
    with serving(make_deps(history.reader, tmp_path, app=app, environ=OPEN)) as server:
        answer = server.get("/api/task/result/x")
        assert (answer.status, answer.text) == (503, "Broker or result backend unavailable")
