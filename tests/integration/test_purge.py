"""Purging a queue over real brokers: asked for by its name, written down, and told with its count."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from tests.apps.queues import make_app
from tests.conftest import WorkerFactory
from tests.integration.web_server import WebServer, make_deps, serving
from tests.servers import Answer, RedisServer, wait_for
from tests.unit.memory_reader import MemoryReader
from umbel.model.queue import KnownQueue
from umbel.web.deps import Deps

OPEN = {"FLOWER_UNAUTHENTICATED_API": "true"}


@contextmanager
def served(app: Celery, folder: Path, **options: Any) -> Iterator[tuple[WebServer, Deps]]:
    reader = MemoryReader()
    reader.queues = [KnownQueue("orders", 1.0, 2.0)]
    deps = make_deps(reader, folder, app=app, environ=OPEN, **options)
    with serving(deps) as server:
        yield server, deps


def purge(server: WebServer, name: str, confirm: str | None = None) -> Answer:
    body = json.dumps({"confirm": name if confirm is None else confirm})
    headers = {"content-type": "application/json"}
    return server.send("POST", f"/api/v1/queues/{name}/purge", body=body, headers=headers)


def send(app: Celery, path: Path, count: int, **options: Any) -> None:
    for _ in range(count):
        app.send_task("tests.wait_for_file", (str(path),), **{"queue": "orders", **options})


def test_a_purge_on_redis_takes_what_waits_and_leaves_what_a_worker_holds(
    redis_url: str, celery_worker: WorkerFactory, tmp_path: Path
) -> None:
    app = make_app(redis_url)
    settings = json.dumps({"broker_url": redis_url})
    celery_worker(
        redis_url, app="tests.apps.queues", arguments=["-Q", "orders"], environment={"TESTS_BROKER": settings}
    )
    send(app, tmp_path / "go", 1)
    with served(app, tmp_path) as (server, deps):
        wait_for(lambda: server.get("/api/v1/queues/orders").json()["unacked"] == 1, 20.0)
        for priority in (0, 3, 9):
            send(app, tmp_path / "go", 2, priority=priority)
        told = purge(server, "orders")
        assert (told.status, told.json()["queue"], told.json()["removed"]) == (200, "orders", 6)
        # seen at once
        queue = server.get("/api/v1/queues/orders").json()
        assert (queue["ready"], queue["unacked"]) == (0, 1)
        (row,), _ = deps.audit.fetch(limit=9)
        assert (row.id, row.action, row.target, row.outcome) == (
            told.json()["id"], "purge", "orders", "confirmed",
        )  # fmt: skip
        assert row.answers["detail"] == "6 messages were thrown away"
        (listed,) = server.get("/api/v1/audit?action=purge").json()["items"]
        assert listed["detail"] == "6 messages were thrown away"
        assert purge(server, "orders").json()["removed"] == 0
        (tmp_path / "go").touch()
        wait_for(lambda: server.get("/api/v1/queues/orders").json()["unacked"] == 0, 20.0)


def test_a_purge_on_rabbitmq_tells_its_count(rabbitmq_url: str, tmp_path: Path) -> None:
    app = make_app(rabbitmq_url)
    send(app, tmp_path, 3)
    with served(app, tmp_path) as (server, deps):
        assert purge(server, "orders").json()["removed"] == 3
        assert purge(server, "orders").json()["removed"] == 0
        assert [row.outcome for row in deps.audit.fetch(limit=9)[0]] == ["confirmed", "confirmed"]


def test_a_remembered_queue_that_the_broker_has_not_is_404(rabbitmq_url: str, tmp_path: Path) -> None:
    with served(make_app(rabbitmq_url), tmp_path) as (server, deps):
        refused = purge(server, "orders")
        assert (refused.status, "has no queue orders" in refused.json()["detail"]) == (404, True)
        assert [row.outcome for row in deps.audit.fetch(limit=9)[0]] == ["refused"]


def test_the_name_must_be_given_and_the_queue_be_known(redis_url: str, tmp_path: Path) -> None:
    app = make_app(redis_url)
    send(app, tmp_path, 1)
    with served(app, tmp_path) as (server, deps):
        for confirm in ("", "Orders", "celery"):
            refused = purge(server, "orders", confirm)
            assert (refused.status, refused.json()["parameter"]) == (400, "confirm")
            assert "it must be the queue's name, 'orders'" in refused.json()["detail"]
        bare = server.send("POST", "/api/v1/queues/orders/purge")
        assert (bare.status, "confirm" in bare.json()["detail"]) == (400, True)
        assert purge(server, "nope").status == 404
        assert deps.audit.fetch(limit=9) == ([], None)
        assert server.get("/api/v1/queues/orders").json()["ready"] == 1


def test_a_broker_that_can_not_purge_says_so(tmp_path: Path) -> None:
    app = make_app(f"sqla+sqlite:///{tmp_path}/broker.sqlite3")
    with served(app, tmp_path) as (server, deps):
        assert server.get("/api/v1/queues").json()["capabilities"]["purge"] is False
        refused = purge(server, "celery")
        assert refused.status == 409
        assert "can't be purged from here" in refused.json()["detail"]
        (row,), _ = deps.audit.fetch(limit=9)
        assert (row.outcome, "not sent" in row.answers["detail"]) == ("refused", True)


@pytest.mark.timeout(60)
def test_a_frozen_broker_leaves_it_open_whether_it_was_done(tmp_path: Path) -> None:
    with RedisServer() as redis:
        app = make_app(redis.url)
        send(app, tmp_path, 1)
        with served(app, tmp_path) as (server, deps):
            assert server.get("/api/v1/queues/orders").json()["ready"] == 1
            redis.freeze()
            try:
                refused = purge(server, "orders")
            finally:
                redis.thaw()
            assert refused.status == 503
            assert "not known whether" in refused.json()["detail"]
            (row,), _ = deps.audit.fetch(limit=9)
            assert row.outcome == "silent"
