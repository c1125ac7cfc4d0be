"""A task of which no event was seen: told from the result backend, of any kind, up or down."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.app.task import Context

from tests.apps.tasks import make_app
from tests.integration.told_history import ToldHistory, told_history
from tests.integration.web_server import WebServer, make_deps, serving
from tests.servers import free_port
from umbel.control.calling import Calling
from umbel.control.stored_result import read_meta

# redis-py tells Celery's own code
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated")

SAID = "From the result backend: no event of it is stored."


@pytest.fixture
def history(tmp_path: Path) -> Iterator[ToldHistory]:
    with told_history(tmp_path) as told:
        yield told


@contextmanager
def looking(
    history: ToldHistory, folder: Path, backend: str | None, **settings: Any
) -> Iterator[tuple[WebServer, Celery]]:
    app = make_app("memory://", backend, **settings)
    (folder / "index.html").write_text("<html><head></head><body></body></html>")
    deps = make_deps(history.reader, folder, app=app, environ={"FLOWER_UNAUTHENTICATED_API": "1"})
    with serving(deps) as server:
        yield server, app
    deps.calling.stop()


def store(app: Celery, uuid: str, result: Any, state: str = "SUCCESS", **fields: Any) -> None:
    """Keep a result as a worker does."""
    told: dict[str, Any] = {
        "task": "shop.order", "args": [1, "花"], "kwargs": {"password": "hunter2"}, "hostname": "w1@test", "retries": 2,
        "delivery_info": {"routing_key": "orders"}, "children": [], "parent_id": "up",
    }  # fmt: skip
    app.backend.store_result(
        uuid, result, state, request=Context({**told, **fields}), traceback="Trace token=abcdef"
    )


@pytest.mark.parametrize("kind", ["redis", "database", "filesystem"])
def test_a_missed_task_is_told_from_the_result_backend(
    kind: str, redis_url: str, history: ToldHistory, tmp_path: Path
) -> None:
    backend = {
        "redis": redis_url,
        "database": f"db+sqlite:///{tmp_path}/results.sqlite3",
        "filesystem": f"file://{tmp_path}",
    }
    with looking(history, tmp_path, backend[kind], timezone="Asia/Kolkata") as (server, app):
        store(app, "done", {"total": 3})
        store(app, "bad", ValueError("no"), "FAILURE")
        store(app, "halfway", {"percent": 50}, "PROGRESS")
        task = server.get("/api/v1/tasks/done").json()
        assert (task["source"], task["source_note"]) == ("result_backend", SAID)
        assert (task["state"], task["finished"], task["result"]) == ("SUCCESS", True, "{'total': 3}")
        assert abs(task["succeeded"] - time.time()) < 30
        assert (task["updated"], task["first_seen"], task["timeline"]) == (task["succeeded"], None, [])
        assert (task["name"], task["args"], task["kwargs"]) == (
            "shop.order",
            "(1, '花')",
            "{'password': '[redacted]'}",
        )
        assert (task["worker"], task["routing_key"], task["retries"]) == ("w1@test", "orders", 2)
        assert (task["notes"], task["exception"]) == (["redacted"], None)
        bad = server.get("/api/v1/tasks/bad").json()
        assert (bad["state"], bad["exception"], bad["result"]) == ("FAILURE", "ValueError('no')", None)
        assert bad["traceback"] == "Trace token=[redacted]"
        halfway = server.get("/api/v1/tasks/halfway").json()
        assert (halfway["state"], halfway["finished"], halfway["updated"]) == ("PROGRESS", False, None)
        assert server.get("/task/done").status == 200
        item = server.get("/api/task/info/done").json()
        assert (len(item), item["source"], item["timestamp"]) == (32, "result-backend", task["succeeded"])
        for path in (
            "/api/v1/tasks/nope",
            "/task/nope",
            "/api/task/info/nope",
            "/api/v1/tasks/..%2F..%2Fresults",
        ):
            assert server.get(path).status == 404, path


def test_events_win_over_the_result_backend(redis_url: str, history: ToldHistory, tmp_path: Path) -> None:
    history.tell_task("seen", at=time.time() - 5, end="received")
    with looking(history, tmp_path, redis_url) as (server, app):
        store(app, "seen", 1)
        task = server.get("/api/v1/tasks/seen").json()
        assert (task["state"], task["source"], task["source_note"]) == ("RECEIVED", "events", "")


def test_a_result_that_is_not_extended_tells_what_it_holds(
    redis_url: str, history: ToldHistory, tmp_path: Path
) -> None:
    with looking(history, tmp_path, redis_url, result_extended=False) as (server, app):
        store(app, "done", "x" * 70_000)
        task = server.get("/api/v1/tasks/done").json()
        assert (task["name"], task["args"], task["worker"], task["parent_id"]) == (None, None, None, "up")
        assert (len(task["result"]), task["notes"]) == (65_536, ["redacted", "truncated"])


@pytest.mark.parametrize("how", ["down", "silent", "unreadable"])
def test_a_backend_in_trouble_costs_seconds_and_is_named(
    how: str, redis_url: str, history: ToldHistory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("umbel.control.calling.LOOK_PATIENCE", 1.0)
    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        port = mute.getsockname()[1] if how == "silent" else free_port()
        backend = redis_url if how == "unreadable" else f"redis://127.0.0.1:{port}/0"
        with looking(history, tmp_path, backend) as (server, app):
            if how == "unreadable":
                app.backend.client.set("celery-task-meta-x", b"\x00rubbish")
            began = time.monotonic()
            answer = server.get("/api/v1/tasks/x")
            assert (answer.status, time.monotonic() - began < 5) == (503, True)
            assert (
                "No event of 'x' is stored, and the result backend can't be asked" in answer.json()["detail"]
            )
            assert (server.get("/task/x").status, server.get("/api/task/info/x").status) == (503, 404)
            assert time.monotonic() - began < 10


def test_without_a_result_backend_nobody_knows_it(history: ToldHistory, tmp_path: Path) -> None:
    for backend in (None, "rpc://"):
        with looking(history, tmp_path, backend) as (server, _):
            answer = server.get("/api/v1/tasks/x")
            assert (answer.status, answer.json()["detail"]) == (404, "Unknown task 'x'")


def test_a_moment_without_an_offset_is_utc() -> None:
    moment = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    for told in (moment.replace(tzinfo=None), moment.replace(tzinfo=None).isoformat(), moment.isoformat()):
        stored = read_meta("x", {"status": "SUCCESS", "date_done": told})
        assert stored is not None and stored.date_done == moment.timestamp()
    assert read_meta("x", {"status": "PENDING", "result": None}) is None


class MongoBackend:
    """In the place of one: its driver takes a moment with an offset, and gives it back in UTC without one."""

    def get_task_meta(self, _: str, **__: object) -> dict[str, Any]:
        return {"status": "SUCCESS", "date_done": datetime.now(UTC).replace(tzinfo=None)}


def test_only_sql_keeps_the_apps_wall_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """MongoDB's and Cassandra's drivers turn moments into UTC."""
    app = make_app("memory://", "cache+memory://", timezone="Asia/Kolkata")
    monkeypatch.setattr(type(app), "backend", MongoBackend())
    calling = Calling(app)
    meta = asyncio.run(calling.look_up("x"))
    calling.stop()
    stored = read_meta("x", meta)
    assert stored is not None and stored.date_done == pytest.approx(time.time(), abs=30)
