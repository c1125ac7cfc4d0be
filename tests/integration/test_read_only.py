"""Every route that changes something, found by walking the route table: refused in read-only mode, closed without a
login, kept from other sites' pages, and else one row in the audit."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.routing import Route

from tests.apps.tasks import make_app
from tests.conftest import WorkerFactory
from tests.integration.told_history import ToldHistory, told_history
from tests.integration.web_server import WebServer, make_deps, serving
from tests.servers import Answer
from tests.unit.memory_reader import MemoryReader
from umbel.auth.base import API_CLOSED, READ_ONLY, Access, Guard
from umbel.web.endpoint import Endpoint
from umbel.web.present import Present
from umbel.web.problem import Family
from umbel.web.routes import Table
from umbel.web.stream import Stream

# redis-py tells Celery's own code
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated")

OPEN = {"FLOWER_UNAUTHENTICATED_API": "true"}
#: What the commands of `/api/v1` need in their bodies.
BODIES = {
    "autoscale": {"min": 1, "max": 2},
    "consumers": {"queue": "q1"},
    "cancellation": {"queue": "q1"},
    "time-limits": {"task": "tests.add", "soft": 5},
    "tasks": {"name": "tests.add", "args": [1, 2]},
    "retry": {"args": [1, 2], "kwargs": {}},
    "rate-limits": {"task": "tests.add", "rate": "10/m"},
    "revocation-jobs": {"ids": ["unseen-id"]},
    "start": {"confirm": 1},
    "purge": {"confirm": "celery"},
}
#: What Flower's need in their query strings.
QUERIES = {
    "autoscale": "min=1&max=2",
    "add-consumer": "queue=q1",
    "cancel-consumer": "queue=q1",
    "timeout": "workername={worker}&soft=5",
    "rate-limit": "workername={worker}&ratelimit=10/m",
}
#: A POST that only reads, and the 404 page.
READS_BY_POST = {"/tasks/datatable"}


@pytest.fixture
def history(tmp_path: Path) -> Iterator[ToldHistory]:
    with told_history(tmp_path) as told:
        yield told


def list_commands(folder: Path) -> list[tuple[str, str]]:
    """(method, path template) of every route that is no read; a shutdown comes last."""
    deps = make_deps(MemoryReader(), folder)
    present = Present(deps)
    table = Table(deps, Guard(None, {}), Stream(deps, present), present)
    found = []
    for route in table.routes() + table.root_routes():
        assert isinstance(route, Route)
        endpoint = route.endpoint
        assert isinstance(endpoint, Endpoint)
        for method, access in endpoint.access.items():
            if method in ("GET", "HEAD") or route.path in READS_BY_POST:
                assert not access.is_command
                continue
            assert access.is_command, f"{method} {route.path}"
            found.append((method, route.path))
    return sorted(found, key=lambda command: ("shutdown" in command[1], command[1]))


def send(server: WebServer, method: str, template: str, worker: str, **headers: str) -> Answer:
    """Send a command with all that it needs."""
    names = {
        "worker": worker,
        "hostname": worker,
        "task": "tests.add",
        "uuid": "some-id",
        "name": "celery",
        "job": "1",
    }
    path = re.sub(r"\{(\w+):path\}", lambda found: names[str(found[1])], template)
    last = template.split("/{worker")[0].split("/{task")[0].rstrip("/").rpartition("/")[2]
    if path.startswith("/api/v1"):
        body = json.dumps(BODIES.get(last, {}))
        return server.send(method, path, body=body, headers={"content-type": "application/json", **headers})
    query = QUERIES.get(last, "").format(worker=worker)
    call = json.dumps({"args": [1, 2], "timeout": 0}) if "apply" in path or "send-task" in path else None
    return server.send(method, f"{path}?{query}", body=call, headers=headers)


def test_there_are_commands_of_both_apis(tmp_path: Path) -> None:
    paths = [path for _, path in list_commands(tmp_path)]
    assert len([path for path in paths if path.startswith("/api/v1/")]) >= 10
    assert len([path for path in paths if not path.startswith("/api/v1/")]) == 14


def test_read_only_refuses_every_command(history: ToldHistory, tmp_path: Path) -> None:
    history.tell_worker("w1@test")
    deps = make_deps(history.reader, tmp_path, environ=OPEN, read_only=True)
    with serving(deps) as server:
        for method, path in list_commands(tmp_path):
            answer = send(server, method, path, "w1@test")
            assert answer.status == 403, path
            assert READ_ONLY in answer.text
        assert server.get("/api/v1/audit").json() == {"items": [], "next": None}
        assert server.get("/api/tasks").status == 200


def test_no_command_is_open_to_everybody(history: ToldHistory, tmp_path: Path) -> None:
    history.tell_worker("w1@test")
    deps = make_deps(history.reader, tmp_path)
    with serving(deps) as server:
        for method, path in list_commands(tmp_path):
            answer = send(server, method, path, "w1@test")
            assert answer.status == 401, path
            assert API_CLOSED in answer.text
    assert deps.audit.fetch(limit=1) == ([], None)


def test_a_login_keeps_other_sites_and_strangers_out(history: ToldHistory, tmp_path: Path) -> None:
    history.tell_worker("w1@test")
    deps = make_deps(history.reader, tmp_path, basic_auth=("ann:secret",))
    login = {"authorization": "Basic YW5uOnNlY3JldA=="}
    with serving(deps) as server:
        for method, path in list_commands(tmp_path):
            assert send(server, method, path, "w1@test").status == 401, path
            for foreign in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
                answer = send(server, method, path, "w1@test", **login, **foreign)
                assert answer.status == 403, path
                assert "Cross-" in answer.text
        host = server.url.partition("//")[2]
        own = {"sec-fetch-site": "same-origin", "origin": f"http://{host}"}
        assert server.send("POST", "/api/task/abort/x", headers=login | own).status == 503
    assert [row.who for row in deps.audit.fetch(limit=9)[0]] == ["ann"]


def test_v1_takes_no_command_from_another_site_even_where_the_api_is_open(
    history: ToldHistory, tmp_path: Path
) -> None:
    deps = make_deps(history.reader, tmp_path, environ=OPEN)
    with serving(deps) as server:
        answer = server.send("POST", "/api/v1/tasks/x/revocation", headers={"origin": "https://evil.example"})
        assert answer.status == 403
        form = server.send("POST", "/api/v1/tasks/x/revocation", body="terminate=1")
        assert form.status == 415


def test_every_command_leaves_one_row_in_the_audit(
    redis_url: str, celery_worker: WorkerFactory, history: ToldHistory, tmp_path: Path
) -> None:
    worker = celery_worker(redis_url, backend=redis_url, concurrency=2).wait_until_answering().hostname
    history.tell_worker(worker)
    history.tell_task("some-id", at=time.time() - 5)  # only what has ended is sent again
    app = make_app(redis_url, redis_url)
    deps = make_deps(history.reader, tmp_path, app=app, environ=OPEN, inspect_timeout=3.0)
    with serving(deps) as server:
        for number, (method, path) in enumerate(list_commands(tmp_path), 1):
            answer = send(server, method, path, worker)
            assert answer.status in (200, 202, 403, 409), (path, answer.text)
            rows, _ = deps.audit.fetch(limit=100)
            assert len(rows) == number, path
            assert rows[0].address == "127.0.0.1"


def test_a_post_that_is_no_command_can_only_be_declared(tmp_path: Path) -> None:
    async def handler(_: object) -> Answer:
        raise AssertionError

    with pytest.raises(ValueError, match="POST with access read"):
        Endpoint(Guard(None, {}), Family.V1, Access.READ, {"POST": handler})  # type: ignore[dict-item]
