"""Retry of a task that has ended: real workers that write down what they received, and every reason to refuse."""

import json
import pickle
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery import Celery

from tests.apps.recording import FOLDER, SETTINGS, make_app
from tests.conftest import WorkerFactory
from tests.integration.told_history import ToldHistory, told_history
from tests.integration.web_server import WebServer, make_deps, serving
from tests.servers import Answer, RedisServer, free_port, wait_for
from umbel.web.deps import Deps

# redis-py tells Celery's own code
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated")

HARD: tuple[Any, ...] = (
    (1, ("a", 2)), b"\xff\x00", datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), date(2026, 1, 2), "花\u2028'\"",
    Decimal("1.10"), UUID(int=7), "x" * 100_000, None, -0.0, 2**70, [], {"k": (1,)},
)  # fmt: skip


@pytest.fixture
def history(tmp_path: Path) -> Iterator[ToldHistory]:
    with told_history(tmp_path) as told:
        yield told


class Stage:
    """A served monitor, its app, and what its tasks wrote down."""

    def __init__(
        self, server: WebServer, deps: Deps, app: Celery, history: ToldHistory, folder: Path
    ) -> None:
        self.server = server
        self.deps = deps
        self.app = app
        self.history = history
        self.folder = folder

    def look(self, uuid: str) -> dict[str, Any]:
        """What GET tells."""
        answer = self.server.get(f"/api/v1/tasks/{uuid}/retry")
        assert answer.status == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def post(self, uuid: str, body: Any = None) -> Answer:
        """Ask for a retry."""
        headers = {"content-type": "application/json"}
        text = None if body is None else json.dumps(body)
        return self.server.send("POST", f"/api/v1/tasks/{uuid}/retry", body=text, headers=headers)

    def retry(self, uuid: str, body: Any = None) -> dict[str, Any]:
        """A retry that is taken."""
        answer = self.post(uuid, body)
        assert answer.status == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def received(self, uuid: str) -> Any:
        """(args, kwargs, the rest) of a task, once a worker has it."""
        wait_for(lambda: (self.folder / uuid).exists(), 20.0)
        return pickle.loads((self.folder / uuid).read_bytes())

    def run(self, *args: Any, **kwargs: Any) -> str:
        """Call the task and have the history know that it failed; return its id."""
        uuid = str(uuid4())
        with self.app.connection_for_write() as connection:
            self.app.send_task("tests.record", args, kwargs, task_id=uuid, connection=connection)
        self.received(uuid)
        wait_for(lambda: self.app.backend.get_task_meta(uuid, cache=False)["status"] != "PENDING", 20.0)
        return uuid

    def tell(self, uuid: str, **fields: Any) -> None:
        """Its life, as events."""
        told = {"name": "tests.record", "end": "failed", **fields}
        self.history.tell_task(uuid, at=time.time() - 5, **told)


@contextmanager
def staged(
    history: ToldHistory, folder: Path, broker: str, backend: str | None, *, config: dict[str, Any] | None = None,
    **settings: Any,
) -> Iterator[Stage]:  # fmt: skip
    app = make_app(broker, backend, **settings)
    environ = {"FLOWER_UNAUTHENTICATED_API": "true"}
    deps = make_deps(history.reader, folder, app=app, environ=environ, **(config or {}))
    with serving(deps) as server:
        yield Stage(server, deps, app, history, folder)
    deps.calling.stop()
    deps.queues.stop()


def environment(folder: Path, **settings: Any) -> dict[str, str]:
    return {FOLDER: str(folder), SETTINGS: json.dumps(settings)}


def test_what_it_received_arrives_again_from_its_extended_result(
    redis_url: str, celery_worker: WorkerFactory, history: ToldHistory, tmp_path: Path
) -> None:
    celery_worker(redis_url, app="tests.apps.recording", backend=redis_url, environment=environment(tmp_path))
    with staged(history, tmp_path, redis_url, redis_url) as stage:
        uuid = stage.run(*HARD, fail=True, **{"näme": b"\x01", "when": datetime(2026, 1, 1)})
        stage.tell(uuid, args="('something else',)", root_id="root")
        told = stage.look(uuid)
        assert (told["possible"], told["source"], told["reason"]) == (True, "result", "")
        assert (told["queue"], told["queue_from"], told["serializer"]) == ("celery", "event", "json")
        assert "differ from what the sender printed" in told["cautions"][0]
        assert told["edit"]["basis"] == "result"
        done = stage.retry(uuid)
        assert (done["source"], done["queue"], done["retry_of"]) == ("result", "celery", uuid)
        args, kwargs, _ = stage.received(uuid)
        again, again_kwargs, rest = stage.received(done["task_id"])
        assert pickle.dumps([list(args), kwargs]) == pickle.dumps([list(again), again_kwargs])
        assert (len(args[7]), args[1], args[2]) == (100_000, HARD[1], HARD[2])
        assert (rest["parent_id"], rest["root_id"]) == (uuid, "root")
        row = stage.deps.audit.fetch(limit=1)[0][0]
        assert (row.id, row.action, row.target, row.outcome) == (done["id"], "retry", uuid, "confirmed")
        assert row.parameters == {
            "task_id": done["task_id"], "name": "tests.record", "source": "result", "queue": "celery",
        }  # fmt: skip
        stage.tell(done["task_id"], parent_id=uuid)
        old, new = (stage.server.get(f"/api/v1/tasks/{it}").json() for it in (uuid, done["task_id"]))
        assert (old["retried_as"], old["retry_of"]) == ([done["task_id"]], None)
        assert (new["retried_as"], new["retry_of"]) == ([], uuid)


def test_a_task_that_only_the_result_backend_knows_is_sent_again(
    redis_url: str, celery_worker: WorkerFactory, history: ToldHistory, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {
        "accept_content": ["pickle", "json"],
        "task_serializer": "pickle",
        "result_serializer": "pickle",
    }
    backend = f"db+sqlite:///{tmp_path}/results.sqlite3"
    told = {**environment(tmp_path, **settings), "C_FORCE_ROOT": "1"}
    celery_worker(redis_url, app="tests.apps.recording", backend=backend, environment=told)
    with staged(history, tmp_path, redis_url, backend, **settings) as stage:
        uuid = stage.run(*HARD, {1: (2,)}, {3})
        look = stage.look(uuid)
        assert (look["source"], look["serializer"], look["queue_from"]) == ("result", "pickle", "result")
        assert (look["edit"]["basis"], "can't be read" in look["edit"]["reason"]) == (None, True)
        args, kwargs, _ = stage.received(stage.retry(uuid)["task_id"])
        assert (args, kwargs) == ((*HARD, {1: (2,)}, {3}), {})


def test_its_message_gives_arguments_priority_limits_and_headers(
    redis_url: str, celery_worker: WorkerFactory, history: ToldHistory, tmp_path: Path
) -> None:
    with staged(history, tmp_path, redis_url, None) as stage:
        with stage.app.connection_for_write() as connection:
            stage.app.send_task(
                "tests.record", HARD, {"n": b"1"}, task_id="old", queue="slow", priority=6, time_limit=300,
                soft_time_limit=200, headers={"tenant": "ann"}, compression="gzip", argsrepr="(hidden)",
                link=stage.app.signature("tests.record"), connection=connection,
            )  # fmt: skip
        stage.tell("old")
        told = stage.look("old")
        assert (told["source"], told["queue"], told["queue_from"]) == ("message", "slow", "message")
        assert (told["priority"], told["headers"], told["serializer"]) == (6, ["tenant"], "json")
        assert "still at the broker (it waits in slow)" in told["cautions"][0]
        assert "Its callbacks are not repeated" in told["cautions"][1]
        new = stage.retry("old", {"queue": "fast"})["task_id"]
        again = stage.retry("old")["task_id"]
        waiting = stage.deps.queues.request_look("slow", offset=0, limit=9, unacked=False).result(10)
        assert [(m.message.task_id, m.message.args, m.message.priority) for m in waiting.messages] == [
            ("old", "(hidden)", 6), (again, "(hidden)", 6),
        ]  # fmt: skip
        arguments = ["-Q", "fast"]
        celery_worker(
            redis_url, app="tests.apps.recording", environment=environment(tmp_path), arguments=arguments
        )
        args, kwargs, rest = stage.received(new)
        assert ([*args[1:3], kwargs], rest["timelimit"]) == ([*HARD[1:3], {"n": b"1"}], [300, 200])
        assert rest["headers"]["tenant"] == "ann"
        assert rest["headers"]["umbel_retry_of"] == "old"


def test_pickle_is_never_read_unless_the_app_takes_it(
    redis_url: str, history: ToldHistory, tmp_path: Path
) -> None:
    mark = tmp_path / "unpickled"
    with staged(history, tmp_path, redis_url, None) as stage:
        sender = make_app(redis_url, None, accept_content=["pickle"], task_serializer="pickle")
        with sender.connection_for_write() as connection:
            sender.send_task(
                "tests.record", (Trap(str(mark)), (1,)), task_id="old", queue="q", argsrepr="('x', (1,))",
                connection=connection,
            )  # fmt: skip
        stage.tell("old", args="('x', (1,))")
        told = stage.look("old")
        assert (told["possible"], told["source"]) == (False, None)
        assert "in pickle, which the app's accept_content does not have" in told["reason"]
        assert told["edit"] == {"basis": "printed", "args": '["x", [1]]', "kwargs": "{}", "reason": ""}
        refused = stage.post("old")
        assert (refused.status, "accept_content" in refused.json()["detail"]) == (409, True)
        assert not mark.exists()


class Trap:
    """Says so when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path(self.path).touch, ()


@pytest.fixture
def stage(redis_url: str, history: ToldHistory, tmp_path: Path) -> Iterator[Stage]:
    """Nobody consumes there."""
    with staged(history, tmp_path, redis_url, redis_url) as it:
        yield it


def test_only_a_task_that_has_ended_is_sent_again(stage: Stage) -> None:
    stage.tell("runs", end="received")
    told = stage.look("runs")
    assert (told["ended"], told["possible"]) == (False, False)
    assert told["reason"] == "It has not ended: its state is RECEIVED."
    edited: dict[str, Any] = {"args": [], "kwargs": {}}
    for body in (None, edited):
        refused = stage.post("runs", body)
        assert (refused.status, "has not ended" in refused.json()["detail"]) == (409, True)
    assert stage.post("nobody").status == 404
    assert stage.server.get("/api/v1/tasks/nobody/retry").status == 404
    rows = stage.deps.audit.fetch(limit=9)[0]
    assert [(row.action, row.target, row.outcome) for row in rows] == [("retry", "runs", "refused")] * 2
    assert stage.server.get("/api/v1/tasks/runs").json()["retried_as"] == []


@pytest.mark.parametrize(
    ("args", "kwargs", "why"),
    [
        ("(1, 'abc...')", "{}", "cut off"),
        ("(1, ...)", "{}", "cut off"),
        ("('a',)", "{'password': 'hunter2'}", "secrets in them were redacted"),
        ("(b'x',)", "{}", "JSON has no form"),
        ("(datetime.datetime(2026, 1, 1),)", "{}", "JSON has no form"),
        ("({1: 2},)", "{}", "JSON has no form"),
        ("(nan,)", "{}", "JSON has no form"),
        ("(1", "{}", "can't be read"),
        ("[]]", "{}", "can't be read"),
        ("(" * 5_000, "{}", "can't be read"),
        ("{}", "{}", "not one of arguments"),
        ("__import__('os').abort()", "{}", "JSON has no form"),
    ],
)
def test_a_printed_form_that_is_not_whole_is_refused(stage: Stage, args: str, kwargs: str, why: str) -> None:
    stage.tell("old", args=args, kwargs=kwargs)
    told = stage.look("old")
    assert (told["possible"], told["edit"]["basis"], told["edit"]["args"]) == (False, None, None)
    assert why in told["edit"]["reason"]
    assert "in no known queue any more" in told["reason"]
    assert "keeps no result" in told["reason"]
    assert stage.post("old").status == 409


def test_edited_arguments_are_sent_checked(stage: Stage) -> None:
    stage.tell("old", args="(1, -2.5, ('花', None), True)", kwargs="{'a': {'b': [1]}}")
    edit = stage.look("old")["edit"]
    assert (edit["basis"], json.loads(edit["args"])) == ("printed", [1, -2.5, ["花", None], True])
    typed = {"__type__": "datetime", "__value__": "2026-01-01T00:00:00"}
    new = stage.retry("old", {"args": [1, typed], "kwargs": {"token": "hunter2"}})
    assert (new["source"], new["queue"]) == ("edited", "celery")
    look = stage.deps.queues.request_look("celery", offset=0, limit=9, unacked=False).result(10)
    assert look.messages[0].message.args == "(1, datetime.datetime(2026, 1, 1, 0, 0))"
    row = stage.deps.audit.fetch(limit=1)[0][0]
    assert row.parameters["source"] == "edited"
    assert "hunter2" not in repr(row)
    for body, said in (
        ({"args": [1]}, "together"), ({"kwargs": {}}, "together"), ({"args": {}, "kwargs": {}}, "args"),
        ({"args": ["[redacted]"], "kwargs": {}}, "stands for a secret"), ({"x": 1}, "x"),
        ({"args": [{"__type__": "nope", "__value__": 1}], "kwargs": {}}, "__type__"), ({"queue": ""}, "queue"),
        ({"args": [], "kwargs": {"__type__": "uuid", "__value__": {"hex": "0" * 32}}}, "object"),
    ):  # fmt: skip
        refused = stage.post("old", body)
        assert (refused.status, said in refused.json()["detail"]) == (400, True), refused.text


def test_a_result_that_may_have_lost_types_is_refused(
    redis_url: str, history: ToldHistory, tmp_path: Path
) -> None:
    from celery.app.task import Context

    def refused(uuid: str, **settings: Any) -> str:
        with staged(history, tmp_path, redis_url, redis_url, **settings) as stage:
            request = Context(
                task="tests.record", args=[[1]], kwargs={}, delivery_info={"routing_key": "celery"}
            )
            stage.app.backend.store_result(uuid, 1, "SUCCESS", request=request)
            stage.tell(uuid, args="([1],)")
            told = stage.look(uuid)
            assert told["possible"] is False
            return str(told["reason"])

    assert "a message in pickle may hold" in refused("a", accept_content=["json", "pickle"])
    assert "result_extended is off" in refused("b", result_extended=False)
    assert refused("c", result_serializer="pickle", accept_content=["json"]).count("can't be read") == 1


def test_nothing_is_sent_where_it_must_not_be(redis_url: str, history: ToldHistory, tmp_path: Path) -> None:
    history.tell_task("old", at=time.time() - 5)
    with staged(history, tmp_path, redis_url, None, config={"read_only": True}) as stage:
        refused = stage.post("old", {"args": [], "kwargs": {}})
        assert (refused.status, stage.deps.audit.fetch(limit=1)[0]) == (403, [])


def test_the_search_for_a_message_is_bounded(
    stage: Stage, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("umbel.brokers.redis_find.MOST_MESSAGES", 30)
    with stage.app.connection_for_write() as connection:
        for n in range(60):
            stage.app.send_task("tests.record", (n,), task_id=f"t{n}", queue="q", connection=connection)
    for uuid in ("t5", "t55"):
        stage.tell(uuid, args="(1,)")
    assert stage.look("t5")["source"] == "message"
    assert "not among the first " in stage.look("t55")["reason"]


def test_a_bare_app_sends_by_name_and_says_what_it_cannot_know(
    redis_url: str, history: ToldHistory, tmp_path: Path
) -> None:
    bare = Celery("default", broker=redis_url, set_as_current=False)
    deps = make_deps(history.reader, tmp_path, app=bare, environ={"FLOWER_UNAUTHENTICATED_API": "1"})
    history.tell("task-received", "lost", name="shop.order", args="(1,)", kwargs="{}")
    history.tell("task-failed", "lost", exception="x", traceback="y")
    with serving(deps) as server:
        stage = Stage(server, deps, bare, history, tmp_path)
        told = stage.look("lost")
        assert (told["queue"], told["edit"]["basis"]) == (None, "printed")
        assert "no result backend is configured" in told["reason"]
        edited = {"args": [2], "kwargs": {}}
        refused = stage.post("lost", edited)
        assert (refused.status, "name one as queue" in refused.json()["detail"]) == (409, True)
        assert stage.retry("lost", {**edited, "queue": "orders"})["queue"] == "orders"
    deps.calling.stop()
    deps.queues.stop()


def test_a_queue_that_rabbitmq_does_not_have_is_told(
    rabbitmq_url: str, history: ToldHistory, tmp_path: Path
) -> None:
    with staged(history, tmp_path, rabbitmq_url, None) as stage:
        stage.tell("old", args="(1,)")
        reason = stage.look("old")["reason"]
        assert "can't show its messages without taking them out" in reason
        refused = stage.post("old", {"args": [1], "kwargs": {}, "queue": "nosuch"})
        assert (refused.status, refused.json()["detail"]) == (
            409, "Not sent: There is no queue 'nosuch' at the broker.",
        )  # fmt: skip
        row = stage.deps.audit.fetch(limit=1)[0][0]
        assert (row.outcome, row.parameters["queue"]) == ("failed", "nosuch")
        assert stage.server.get("/api/v1/tasks/old").json()["retried_as"] == []


def test_a_broker_and_a_backend_that_are_down_are_named_soon(history: ToldHistory, tmp_path: Path) -> None:
    down = f"redis://127.0.0.1:{free_port()}/0"
    with staged(history, tmp_path, down, down) as stage:
        stage.tell("old", args="(1,)")
        began = time.monotonic()
        reason = stage.look("old")["reason"]
        assert "Its message can't be looked for" in reason
        assert "The result backend can't be asked" in reason
        assert stage.post("old", {"args": [1], "kwargs": {}}).status == 503
        assert time.monotonic() - began < 20
        assert stage.deps.audit.fetch(limit=1)[0][0].outcome == "failed"
