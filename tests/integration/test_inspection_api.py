"""What `/api/v1` tells of a worker's own answers, and whether it says that commands are let in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.tasks import make_app
from tests.conftest import WorkerFactory
from tests.integration.told_history import ToldHistory, told_history
from tests.integration.web_server import make_deps, serving
from tests.servers import free_port, wait_for
from tests.unit.memory_reader import MemoryReader
from umbel.control.calling import Calling

OPEN = {"FLOWER_UNAUTHENTICATED_API": "true"}


@pytest.fixture
def history(tmp_path: Path) -> Iterator[ToldHistory]:
    with told_history(tmp_path) as told:
        yield told


def test_a_worker_tells_its_pool_queues_tasks_and_settings(
    redis_url: str, celery_worker: WorkerFactory, history: ToldHistory, tmp_path: Path
) -> None:
    worker = celery_worker(redis_url).wait_until_answering()
    history.tell_worker(worker.hostname)
    app = make_app(redis_url)
    deps = make_deps(history.reader, tmp_path, app=app)
    path = f"/api/v1/workers/{worker.hostname}/inspection"
    running = app.send_task("tests.sleep", (30,), {}, ignore_result=True)
    for n in range(2):
        app.send_task("tests.echo", (n, "x=1"), {"password": "hunter2"}, countdown=3600, ignore_result=True)
    with serving(deps) as server:
        before = server.get(path).json()
        assert (before["asked"], before["time"], before["stats"], before["queues"]) == (None,) * 4

        def told() -> bool:
            answer = server.get(f"{path}?refresh=yes").json()
            return bool(answer["active"]) and answer["lengths"]["scheduled"] == 2

        wait_for(told, 20.0)
        answer = server.get(f"{path}?refresh=yes&limit=1").json()
        assert (answer["asked"], answer["problem"]) == ("answered", "")
        assert answer["stats"]["pool"]["implementation"].startswith("celery.concurrency.prefork")
        assert [queue["name"] for queue in answer["queues"]] == ["celery"]
        assert (answer["queues"][0]["durable"], answer["queues"][0]["routing_key"]) == (True, "celery")
        (active,) = answer["active"]
        assert (active["id"], active["name"], active["args"]) == (running.id, "tests.sleep", "(30,)")
        assert active["started"] > 1e9 and active["pid"] > 0
        # of two that wait one is told, without its secret
        (scheduled,) = answer["scheduled"]
        assert scheduled["eta"] is not None
        assert "hunter2" not in server.get(path).text
        assert len(answer["registered"]) == 1 < answer["lengths"]["registered"]
        assert isinstance(answer["conf"], dict)
        assert server.get(path).json()["time"] == answer["time"]
        assert server.get("/api/v1/workers/nobody@test/inspection").status == 404
        bad = server.get(f"{path}?refresh=often")
        assert (bad.status, bad.json()["parameter"]) == (400, "refresh")
        worker.freeze()
        silent = server.get(f"{path}?refresh=yes").json()
        assert (silent["asked"], silent["time"]) == ("silent", answer["time"])
        worker.thaw()


def test_a_broker_that_is_away_is_named(history: ToldHistory, tmp_path: Path) -> None:
    history.tell_worker("celery@one")
    app = make_app(f"redis://127.0.0.1:{free_port()}/0")
    with serving(make_deps(history.reader, tmp_path, app=app)) as server:
        answer = server.get("/api/v1/workers/celery@one/inspection?refresh=yes")
        assert answer.status == 200
        assert answer.json()["asked"] == "failed"
        assert answer.json()["problem"]


def test_settings_say_whether_commands_are_let_in(tmp_path: Path) -> None:
    stances = {}
    for name, environ, settings in (
        ("closed", {}, {}),
        ("variable", OPEN, {}),
        ("read_only", OPEN, {"read_only": True}),
        ("login", {}, {"basic_auth": ("ann:pw",)}),
    ):
        deps = make_deps(MemoryReader(), tmp_path, environ=environ, **settings)
        with serving(deps) as server:
            auth = ("ann", "pw") if "basic_auth" in settings else None
            answer = server.get("/api/v1/settings", auth=auth).json()
            stances[name] = answer["commands"]
    assert deps.calling.can_abort is False
    assert Calling(make_app("memory://", "redis://localhost/0")).can_abort
    assert not Calling(make_app("memory://", "rpc://")).can_abort
    assert stances == {"closed": "closed", "variable": "open", "read_only": "read_only", "login": "open"}
