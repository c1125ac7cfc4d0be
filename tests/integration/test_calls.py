"""Calling tasks through Flower's endpoints: real workers, every kind of option, results of every kind."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.apps.tasks import make_app
from tests.conftest import WorkerFactory
from tests.integration.told_history import ToldHistory, told_history
from tests.integration.web_server import WebServer, make_deps, serving
from tests.servers import Answer, RedisServer, free_port, wait_for
from umbel.web.deps import Deps

# redis-py tells Celery's own code
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated")

OPEN = {"FLOWER_UNAUTHENTICATED_API": "true"}


@pytest.fixture
def history(tmp_path: Path) -> Iterator[ToldHistory]:
    with told_history(tmp_path) as told:
        yield told


@contextmanager
def calling(
    history: ToldHistory, folder: Path, broker: str, backend: str | None, **settings: Any
) -> Iterator[tuple[WebServer, Deps]]:
    app = make_app(broker, backend, **settings)
    deps = make_deps(history.reader, folder, app=app, environ=OPEN, inspect_timeout=10.0)
    with serving(deps) as server:
        yield server, deps
    deps.calling.stop()


def post(server: WebServer, path: str, body: Any = None) -> Answer:
    text = body if isinstance(body, str | bytes | None) else json.dumps(body)
    return server.send("POST", f"/api/task/{path}", body=text)


def test_a_call_waits_for_its_result_and_is_in_the_audit(
    redis_url: str, celery_worker: WorkerFactory, history: ToldHistory, tmp_path: Path
) -> None:
    celery_worker(redis_url, backend=redis_url)
    with calling(history, tmp_path, redis_url, redis_url) as (server, deps):
        done = post(server, "apply/tests.add", {"args": [1, 2]}).json()
        assert list(done) == ["task-id", "result", "state"]
        assert (done["state"], done["result"]) == ("SUCCESS", 3)
        failed = post(server, "apply/tests.fail", {"kwargs": {"message": "no"}, "task_id": "mine"}).json()
        assert (failed["task-id"], failed["state"], failed["result"]) == (
            "mine",
            "FAILURE",
            "ValueError('no')",
        )
        assert "Traceback" in failed["traceback"]
        slow = post(server, "apply/tests.sleep", {"args": [0.1], "countdown": "30", "timeout": "0.2"}).json()
        assert slow.keys() == {"task-id", "state"}
        sent = post(server, "send-task/tests.add", {"args": [1, 1], "eta": "2020-01-01 00:00:00.0"})
        assert sent.json().keys() == {"task-id", "state"}
        assert server.get(f"/api/task/result/{sent.json()['task-id']}?timeout=20").json()["result"] == 2
        rows, _ = deps.audit.fetch(limit=10)
        assert [(row.action, row.target, row.outcome) for row in rows] == [
            ("send_task", "tests.add", "confirmed"),
            ("apply", "tests.sleep", "confirmed"),
            ("apply", "tests.fail", "confirmed"),
            ("apply", "tests.add", "confirmed"),
        ]
        assert rows[2].parameters == {"args": "[]", "kwargs": "{'message': 'no'}", "task_id": "mine"}


def test_the_v1_api_calls_tasks_too(
    redis_url: str, celery_worker: WorkerFactory, history: ToldHistory, tmp_path: Path
) -> None:
    celery_worker(redis_url, backend=redis_url)

    def call(server: WebServer, **body: Any) -> Answer:
        headers = {"content-type": "application/json"}
        return server.send("POST", "/api/v1/tasks", body=json.dumps(body), headers=headers)

    with calling(history, tmp_path, redis_url, redis_url) as (server, deps):
        done = call(server, name="tests.echo", args=[2**63, "花"], wait=20)
        assert (done.status, done.json().get("state")) == (200, "SUCCESS"), done.text
        assert done.json()["result"] == [[2**63, "花"], {}]
        row = deps.audit.fetch(limit=1)[0][0]
        assert (row.id, row.action, row.target) == (done.json()["id"], "apply", "tests.echo")
        failed = call(server, name="tests.fail", options={"task_id": "mine"}, wait=20).json()
        assert (failed["task_id"], failed["result"]) == ("mine", "ValueError('no such order')")
        assert "Traceback" in failed["traceback"]
        sent = call(server, name="no.such.task", options={"queue": "nobody", "countdown": "5"}).json()
        assert (sent["state"], sent["result"], sent["traceback"]) == ("PENDING", None, None)
        for body, said in (
            ({"name": ""}, "name"), ({}, "name"), ({"name": "x", "args": {}}, "args"),
            ({"name": "x", "wait": -1}, "wait"),
            ({"name": "x", "options": {"queue": 1}}, "queue"), ({"name": "tests.add"}, "missing 2 required"),
            ({"name": "x", "extra": 1}, "extra"),
        ):  # fmt: skip
            refused = call(server, **body)
            assert refused.status == 400, body
            assert said in refused.json()["detail"]
        aborted = server.send("POST", f"/api/v1/tasks/{sent['task_id']}/abortion")
        assert (aborted.status, aborted.json()["outcome"]) == (202, "requested")
        assert server.get(f"/api/task/result/{sent['task_id']}").json()["state"] == "ABORTED"


def test_secrets_stay_out_of_the_audit(redis_url: str, history: ToldHistory, tmp_path: Path) -> None:
    secret = {
        "args": ["token=hunter2"],
        "kwargs": {"password": "hunter2", "n": 1},
        "shadow": "api_key=hunter2",
    }
    with calling(history, tmp_path, redis_url, None) as (server, deps):
        assert (
            post(server, "send-task/tests.add", {**secret, "headers": {"authorization": "hunter2"}}).status
            == 200
        )
        (row,), _ = deps.audit.fetch(limit=1)
        assert "hunter2" not in repr(row)
        assert "'n': 1" in row.parameters["kwargs"]


def test_options_reach_the_task(
    redis_url: str, celery_worker: WorkerFactory, history: ToldHistory, tmp_path: Path
) -> None:
    celery_worker(redis_url, backend=redis_url, arguments=["-Q", "special,celery"])
    options = {
        "queue": "special", "priority": 3, "countdown": 0.1, "expires": "2099-01-01T00:00:00+00:00",
        "headers": {"x": "1"}, "retry": True, "retry_policy": {"max_retries": 1}, "shadow": "nick", "time_limit": 30,
        "soft_time_limit": 20.0, "link": {"task": "tests.add", "args": [1], "kwargs": {}, "options": {}},
        "serializer": "json", "compression": "gzip", "ignore_result": None, "delivery_mode": 2,
    }  # fmt: skip
    with calling(history, tmp_path, redis_url, redis_url) as (server, _):
        answer = post(server, "apply/tests.add", {"args": [1, 2], "timeout": 20, **options})
        assert (answer.status, answer.json()["result"]) == (200, 3)
        queued = post(
            server, "async-apply/tests.add", {"args": [1, 2], "queue": "nobody", "task_id": "waits"}
        )
        assert queued.json() == {"task-id": "waits", "state": "PENDING"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{", "Expecting"),
        ("[1]", "invalid options"),
        (b"\xff", "utf-8"),
        ({"args": {}}, "args must be an array"),
        ({"args": "ab"}, "args must be an array"),
        ({"kwargs": [1]}, "kwargs must be an object"),
        ({"eta": "tomorrow"}, "Invalid option 'eta'"),
        ({"eta": 5}, "Invalid option 'eta'"),
        ({"eta": ["2026-01-01 00:00:00.0"]}, "Invalid option 'eta'"),
        ({"countdown": [1]}, "Invalid option 'countdown'"),
        ({"countdown": True}, "Invalid option 'countdown'"),
        ('{"countdown": NaN}', "Invalid option 'countdown'"),
        ({"countdown": 1e300}, "Invalid"),
        ({"expires": {}}, "Invalid option 'expires'"),
        ({"expires": "soon"}, "Invalid option 'expires'"),
        ({"task_id": 5}, "Invalid option 'task_id'"),
        ({"queue": 5}, "Invalid option 'queue'"),
        ({"priority": "high"}, "Invalid option 'priority'"),
        ({"priority": -1}, "Invalid option 'priority'"),
        ({"headers": [1]}, "Invalid option 'headers'"),
        ({"retry": "no"}, "Invalid option 'retry'"),
        ({"retry_policy": {"max_retries": "x"}}, "Invalid option 'retry_policy'"),
        ({"link": "tests.add"}, "Invalid option 'link'"),
        ({"serializer": "nosuch"}, "Invalid arguments or options"),
        ({"compression": "nosuch"}, "Invalid arguments or options"),
        ({"producer": "x"}, "Invalid option 'producer'"),
        ({"connection": "x"}, "Invalid option 'connection'"),
        ({"name": "x"}, "Invalid option 'name'"),
        ({"stamped_headers": ["x"]}, "Invalid arguments or options"),
        ("[" * 100_000, ""),
    ],
)
@pytest.mark.parametrize("endpoint", ["apply", "async-apply", "send-task"])
def test_a_wrong_type_is_400(closed: WebServer, endpoint: str, body: Any, said: str) -> None:
    answer = post(closed, f"{endpoint}/tests.echo", body)
    assert answer.status == 400, answer.text
    assert said in answer.text


@pytest.fixture(scope="module")
def closed(redis_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Nobody consumes there: what is wrong is told without a worker."""
    folder = tmp_path_factory.mktemp("calls")
    with told_history(folder) as told, calling(told, folder, redis_server.url_of(1020), None) as (server, _):
        yield server


def test_signatures_tasks_and_backends_that_are_not_there(closed: WebServer) -> None:
    assert post(closed, "apply/tests.add", {"args": [1, 2, 3]}).status == 400
    assert (post(closed, "apply/nosuch").status, post(closed, "async-apply/nosuch").text) == (
        404,
        "Unknown task 'nosuch'",
    )
    assert post(closed, "apply/tests.add", {"args": [1, 2], "timeout": "soon"}).text == "Invalid timeout"
    sent = post(closed, "apply/tests.add", {"args": [1, 2], "task_id": "x"})
    assert (sent.status, sent.json()) == (200, {"task-id": "x"})
    assert post(closed, "send-task/no.such.task").json().keys() == {"task-id"}
    assert post(closed, "abort/x").status == 503


def test_a_broker_that_is_down_is_503_and_soon(history: ToldHistory, tmp_path: Path) -> None:
    with calling(history, tmp_path, f"redis://127.0.0.1:{free_port()}/0", None) as (server, deps):
        began = time.monotonic()
        for endpoint in ("apply", "async-apply", "send-task"):
            answer = post(server, f"{endpoint}/tests.echo")
            assert (answer.status, answer.text) == (503, "Broker or result backend unavailable")
        assert server.send("POST", "/api/task/revoke/x").status == 503
        assert time.monotonic() - began < 15
        rows, _ = deps.audit.fetch(limit=10)
        assert {row.outcome for row in rows} == {"failed"}


def test_waiting_ends_when_the_client_leaves(
    redis_server: RedisServer, redis_url: str, history: ToldHistory, tmp_path: Path
) -> None:
    def count_questions() -> int:
        with redis_server.client() as client:
            return int(client.info("commandstats").get("cmdstat_get", {}).get("calls", 0))

    def is_quiet() -> bool:
        before = count_questions()
        time.sleep(1.5)  # longer than the longest pause between two questions
        return count_questions() == before

    with calling(history, tmp_path, redis_url, redis_url) as (server, _):
        body = json.dumps({"args": [1, 2], "queue": "nobody"})
        client = http.client.HTTPConnection("127.0.0.1", server.port)
        client.request("POST", "/api/task/apply/tests.add", body)
        asked = count_questions()
        wait_for(lambda: count_questions() > asked + 2, 10.0)
        assert not is_quiet()
        client.close()
        wait_for(is_quiet, 15.0)


class Odd:
    """A class of the user's own that nobody can print."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_results_of_every_kind_are_told(redis_url: str, history: ToldHistory, tmp_path: Path) -> None:
    settings = {"result_serializer": "pickle", "accept_content": ["json", "pickle"]}
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    values = {
        "nan": (float("nan"), "nan"),
        "inf": ([float("inf")], "[inf]"),
        "bytes": (b"\xff", "b'\\xff'"),
        "set": ({1}, "{1}"),
        "surrogate": ("\ud800", "\ud800"),
        "large": ("x" * 1_000_000, "x" * 1_000_000),
        "odd": (Odd(), "<Odd, which cannot be printed: RuntimeError>"),
        "keys": ({(1, 2): 3}, "{(1, 2): 3}"),
        "huge": (10**400, 10**400),
        "none": (None, None),
        "deep": (deep, deep),
    }
    app = make_app(redis_url, redis_url, **settings)
    for name, (value, _) in values.items():
        app.backend.store_result(name, value, "SUCCESS")
    app.backend.store_result("broken", ValueError("\udcff"), "FAILURE", traceback="\udcff")
    app.backend.client.set("celery-task-meta-rubbish", b"\x00rubbish")
    with calling(history, tmp_path, redis_url, redis_url, **settings) as (server, _):
        for name, (_, told) in values.items():
            answer = server.get(f"/api/task/result/{name}")
            assert answer.status == 200, name
            assert answer.json()["result"] == told, name
        assert server.get("/api/task/result/broken").json()["result"] == "ValueError('\\udcff')"
        assert server.get("/api/task/result/rubbish").status == 503


def test_the_rpc_backend_gives_results_too(
    rabbitmq_url: str, celery_worker: WorkerFactory, history: ToldHistory, tmp_path: Path
) -> None:
    celery_worker(rabbitmq_url, backend="rpc://")
    with calling(history, tmp_path, rabbitmq_url, "rpc://") as (server, _):

        def add(number: int) -> Any:
            return post(server, "apply/tests.add", {"args": [number, 1], "timeout": 30}).json()["result"]

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(add, range(4))) == [1, 2, 3, 4]


def test_a_task_is_aborted_by_its_mark(redis_url: str, history: ToldHistory, tmp_path: Path) -> None:
    with calling(history, tmp_path, redis_url, redis_url) as (server, deps):
        answer = post(server, "abort/some")
        assert (answer.status, answer.json()) == (200, {"message": "Aborted 'some'"})
        assert server.get("/api/task/result/some").json()["state"] == "ABORTED"
        assert deps.audit.fetch(limit=1)[0][0].outcome == "requested"


def test_a_hundred_waiting_calls_delay_no_command(
    redis_url: str, celery_worker: WorkerFactory, history: ToldHistory, tmp_path: Path
) -> None:
    worker = celery_worker(redis_url, backend=redis_url)
    history.tell_worker(worker.wait_until_answering().hostname)
    with calling(history, tmp_path, redis_url, redis_url) as (server, _):
        answers: list[int] = []

        def wait() -> None:
            answers.append(
                post(server, "apply/tests.add", {"args": [1, 2], "queue": "nobody", "timeout": 6}).status
            )

        threads = [threading.Thread(target=wait) for _ in range(100)]
        for thread in threads:
            thread.start()
        with make_app(redis_url).connection_for_write() as connection:
            wait_for(lambda: connection.default_channel._size("nobody") == 100, 30.0)
        took = []
        for _ in range(5):
            began = time.monotonic()
            assert server.send("POST", f"/api/worker/pool/grow/{worker.hostname}").status == 200
            took.append(time.monotonic() - began)
        for thread in threads:
            thread.join()
        assert answers == [200] * 100
        assert sorted(took)[2] < 2.0, took
