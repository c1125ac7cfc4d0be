"""Commands on real workers: what they say is what has changed there, and who was silent is named."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import celery
import pytest
from celery import Celery

from tests.apps.tasks import make_app
from tests.conftest import UmbelFactory, WorkerFactory
from tests.integration.told_history import ToldHistory, told_history
from tests.integration.web_server import WebServer, make_deps, serving
from tests.servers import Answer, CeleryWorker, RedisServer, UmbelServer, wait_for
from tests.streams.expected import is_before
from umbel.store.audit import AuditLog, AuditRow
from umbel.web.deps import Deps

OPEN = {"FLOWER_UNAUTHENTICATED_API": "true"}


class Stage:
    """Two workers, one of them scaling itself, and a server that has inspected them."""

    def __init__(self, stack: ExitStack, url: str, folder: Path) -> None:
        self.app: Celery = make_app(url, url)
        self.plain = stack.enter_context(CeleryWorker(url, backend=url, concurrency=2))
        scaling = ("-Q", "scaled", "--autoscale=3,1")
        self.scaling = stack.enter_context(CeleryWorker(url, backend=url, arguments=scaling))
        told = stack.enter_context(told_history(folder))
        for worker in (self.plain, self.scaling):
            told.tell_worker(worker.wait_until_answering().hostname)
        self.deps: Deps = make_deps(told.reader, folder, app=self.app, environ=OPEN, inspect_timeout=10.0)
        self.server: WebServer = stack.enter_context(serving(self.deps))
        self.deps.inspector.refresh()

    def flower(self, path: str) -> Answer:
        """A command by Flower's API; `{w}` is the plain worker, `{s}` the other."""
        path = path.format(w=self.plain.hostname, s=self.scaling.hostname)
        return self.server.send("POST", f"/api/{path}")

    def v1(self, path: str, body: Any = None) -> Answer:
        """A command of `/api/v1`."""
        return send_v1(self.server, path.format(w=self.plain.hostname, s=self.scaling.hostname), body)

    def ask(self, method: str, worker: CeleryWorker) -> Any:
        """What the worker itself says."""
        inspect = self.app.control.inspect([worker.hostname], timeout=10.0)
        return getattr(inspect, method)()[worker.hostname]


def send_v1(server: WebServer | UmbelServer, path: str, body: Any = None) -> Answer:
    headers = {"content-type": "application/json"}
    return server.send("POST", f"/api/v1/{path}", body=json.dumps(body or {}), headers=headers, timeout=60.0)


@pytest.fixture(scope="module")
def stage(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with ExitStack() as stack:
        url = redis_server.url_of(1021)
        yield Stage(stack, url, tmp_path_factory.mktemp("control"))


@pytest.fixture
def history(tmp_path: Path) -> Iterator[ToldHistory]:
    with told_history(tmp_path) as told:
        yield told


def completed(audit: AuditLog) -> list[AuditRow]:
    """All commands that were sent, once their outcomes are known."""
    rows, _ = audit.fetch(limit=100)
    return rows if all(row.ended for row in rows) else []


def test_a_revoke_goes_through_guard_audit_workers_and_answer(
    redis_url: str, celery_worker: WorkerFactory, history: ToldHistory, tmp_path: Path
) -> None:
    worker = celery_worker(redis_url)
    history.tell_worker(worker.wait_until_answering().hostname)
    environ: dict[str, str] = {}
    deps = make_deps(history.reader, tmp_path, app=make_app(redis_url), environ=environ)
    with serving(deps) as server:
        assert server.send("POST", "/api/task/revoke/some-id").status == 401
        environ.update(OPEN)
        answer = server.send("POST", "/api/task/revoke/some-id?terminate=1&signal=kill")
        assert (answer.status, answer.json()) == (200, {"message": "Revoked 'some-id'"})
        (row,) = wait_for(lambda: completed(deps.audit), 10.0)
        assert row.outcome == "confirmed"
        assert row.answers["confirmed"] == {worker.hostname: "terminate: tasks unknown"}
        assert (row.action, row.target) == ("revoke", "some-id")
        assert row.parameters == {"terminate": True, "signal": "SIGKILL"}
        assert (row.who, row.login, row.address) == (None, "none", "127.0.0.1")
        assert row.ended is not None and row.ended >= row.time
        bad = server.send("POST", "/api/task/revoke/some-id?signal=SIGSTOP")
        assert bad.status == 400
        assert "expected one of SIGTERM" in bad.text


def test_a_pool_grows_and_shrinks(stage: Stage) -> None:
    def pids() -> set[int]:
        return set(stage.ask("stats", stage.plain)["pool"]["processes"])

    before = pids()
    grown = stage.flower("worker/pool/grow/{w}?n=2")
    assert grown.json() == {"message": f"Growing '{stage.plain.hostname}' worker's pool by 2"}
    wait_for(lambda: len(pids()) == len(before) + 2, 10.0)
    shrunk = stage.v1("workers/{w}/pool/shrinkage", {"n": 2}).json()
    assert shrunk["outcome"] == "confirmed"
    assert shrunk["confirmed"] == [{"worker": stage.plain.hostname, "text": "pool will shrink"}]
    wait_for(lambda: len(pids()) == len(before), 10.0)
    # Celery would take both before it refused, and leave a worker that does nothing
    for n in (2, 50):
        refused = stage.v1("workers/{w}/pool/shrinkage", {"n": n})
        assert (refused.status, "one must stay" in refused.text) == (409, True)
        told = stage.flower(f"worker/pool/shrink/{{w}}?n={n}")
        assert (told.status, "one must stay" in told.text) == (403, True)
    assert len(pids()) == len(before)
    assert stage.flower("worker/pool/shrink/{w}?n=0").status == 400


def test_what_a_worker_cannot_do_is_known_beforehand(stage: Stage) -> None:
    stage.deps.inspector.refresh()
    able = stage.server.get(f"/api/v1/workers/{stage.plain.hostname}/control").json()
    assert (able["pool"], able["concurrency"], able["queues"]) == ("prefork", 2, ["celery"])
    assert able["abilities"]["pool_grow"] == {"possible": True, "reason": ""}
    assert able["abilities"]["autoscale"]["possible"] is False
    known = stage.v1("workers/{w}/autoscale", {"min": 1, "max": 2})
    assert known.status == 409
    assert "was not started with --autoscale" in known.json()["detail"]
    told = stage.flower("worker/pool/autoscale/{w}?min=1&max=2")
    assert (told.status, told.text) == (
        403,
        f"Failed to autoscale '{stage.plain.hostname}' worker: ValueError('Autoscale not enabled')",
    )
    assert stage.v1("workers/{s}/pool/growth").status == 409
    assert stage.v1("workers/{s}/pool/restart").status == 409


def test_the_audit_is_paged(stage: Stage) -> None:
    for n in range(5):
        stage.v1(f"tasks/paged{n}/revocation")
    seen: list[str] = []
    cursor = ""
    while len(seen) < 5:
        page = stage.server.get(f"/api/v1/audit?action=revoke&limit=2{cursor}").json()
        seen += [row["target"] for row in page["items"]]
        cursor = f"&cursor={page['next']}"
    assert seen[:5] == ["paged4", "paged3", "paged2", "paged1", "paged0"]
    (row,) = stage.server.get("/api/v1/audit?target=paged3").json()["items"]
    assert {said["worker"] for said in row["confirmed"]} == {stage.plain.hostname, stage.scaling.hostname}
    assert row["parameters"] == {"terminate": False, "signal": "SIGTERM"}
    for query, parameter in (("cursor=x", "cursor"), ("limit=0", "limit"), ("colour=red", "colour")):
        refused = stage.server.get(f"/api/v1/audit?{query}")
        assert (refused.status, refused.json()["parameter"]) == (400, parameter)


def test_commands_reach_workers_on_rabbitmq(
    rabbitmq_url: str, celery_worker: WorkerFactory, history: ToldHistory, tmp_path: Path
) -> None:
    worker = celery_worker(rabbitmq_url).wait_until_answering()
    history.tell_worker(worker.hostname)
    deps = make_deps(history.reader, tmp_path, app=make_app(rabbitmq_url), environ=OPEN, inspect_timeout=10.0)
    with serving(deps) as server:
        assert send_v1(server, "tasks/x/revocation").json()["outcome"] == "confirmed"
        assert server.send("POST", f"/api/worker/pool/grow/{worker.hostname}").status == 200
        assert send_v1(server, "tasks", {"name": "tests.add", "args": [1, 2]}).status == 200


def test_autoscale_changes_its_bounds(stage: Stage) -> None:
    answer = stage.flower("worker/pool/autoscale/{s}?min=2&max=4")
    said = f"Autoscaling '{stage.scaling.hostname}' worker (min=2, max=4)"
    assert answer.json() == {"message": said}
    scaler = stage.ask("stats", stage.scaling)["autoscaler"]
    assert (scaler["min"], scaler["max"]) == (2, 4)
    assert stage.v1("workers/{s}/autoscale", {"min": 1, "max": 3}).json()["outcome"] == "confirmed"
    scaler = stage.ask("stats", stage.scaling)["autoscaler"]
    assert (scaler["min"], scaler["max"]) == (1, 3)
    assert stage.v1("workers/{s}/autoscale", {"min": 3, "max": 1}).json()["parameter"] == "min"


def test_consumers_come_and_go(stage: Stage) -> None:
    def queues() -> set[str]:
        return {queue["name"] for queue in stage.ask("active_queues", stage.plain)}

    added = stage.flower("worker/queue/add-consumer/{w}?queue=q%26<1>")
    assert added.json() == {"message": "add consumer q&<1>"}
    wait_for(lambda: queues() == {"celery", "q&<1>"}, 10.0)
    gone = stage.v1("workers/{w}/consumers/cancellation", {"queue": "q&<1>"}).json()
    assert gone["outcome"] == "confirmed"
    wait_for(lambda: queues() == {"celery"}, 10.0)
    assert stage.flower("worker/queue/add-consumer/{w}").text == "Missing argument queue"


def test_limits_are_set(stage: Stage) -> None:
    answer = stage.flower("task/rate-limit/tests.add?workername={w}&ratelimit=11/m")
    assert answer.json() == {"message": "new rate limit set successfully"}
    names = stage.app.control.inspect([stage.plain.hostname], timeout=10.0).registered("rate_limit")
    assert "tests.add [rate_limit=11/m]" in names[stage.plain.hostname]
    # 30/m lets one through and holds the next for two seconds
    assert stage.v1("workers/{w}/rate-limits", {"task": "tests.add", "rate": "30/m"}).status == 200
    calls = [stage.app.send_task("tests.add", (n, 1)) for n in range(2)]
    wait_for(lambda: all(call.state == "SUCCESS" for call in calls), 20.0)
    ends = sorted(call.date_done for call in calls)
    assert (ends[1] - ends[0]).total_seconds() > 1.5
    lifted = stage.v1("workers/{w}/rate-limits", {"task": "tests.add", "rate": "0"}).json()
    assert lifted["outcome"] == "confirmed"
    unknown = stage.v1("workers/{w}/rate-limits", {"task": "nosuch", "rate": "1/s"})
    assert (unknown.status, unknown.json()["outcome"]) == (200, "refused")
    assert unknown.json()["refused"] == [{"worker": stage.plain.hostname, "text": "unknown task"}]
    bad = stage.flower("task/rate-limit/tests.add?workername={w}&ratelimit=often")
    assert bad.status == 403
    assert bad.text.startswith("Failed to set rate limit: '")
    assert stage.v1("workers/{w}/rate-limits", {"task": "tests.add", "rate": "often"}).status == 400
    assert stage.flower("task/timeout/nosuch?workername={w}").text == "Unknown task 'nosuch'"
    assert stage.flower("task/timeout/tests.add?workername=nobody").text == "Unknown worker 'nobody'"


def test_a_restart_brings_new_processes_and_the_time_limits_that_were_set(
    redis_url: str, celery_worker: WorkerFactory, history: ToldHistory, tmp_path: Path
) -> None:
    worker = celery_worker(redis_url, backend=redis_url, arguments=("--", "worker.pool_restarts=true"))
    history.tell_worker(worker.wait_until_answering().hostname)
    app = make_app(redis_url, redis_url)

    def processes() -> set[int]:
        stats = app.control.inspect([worker.hostname], timeout=10.0).stats()
        return set(stats[worker.hostname]["pool"]["processes"])

    deps = make_deps(history.reader, tmp_path, app=app, environ=OPEN, inspect_timeout=10.0)
    with serving(deps) as server:
        limits = server.send(
            "POST", f"/api/task/timeout/tests.sleep?workername={worker.hostname}&hard=20&soft=0.5"
        )
        assert limits.json() == {"message": "time limits set successfully"}
        # a worker looks its tasks' limits up anew when its pool restarts, and the answer says so
        old = processes()
        restarted = server.send("POST", f"/api/worker/pool/restart/{worker.hostname}")
        assert restarted.json() == {"message": f"Restarting '{worker.hostname}' worker's pool"}
        result = app.send_task("tests.sleep", (30,))
        wait_for(lambda: result.state == "FAILURE", 20.0)
        assert type(result.result).__name__ == "SoftTimeLimitExceeded"
        assert processes() - old
        lifted = send_v1(server, f"workers/{worker.hostname}/time-limits", {"task": "tests.sleep"}).json()
        assert lifted["outcome"] == "confirmed"
        assert "next restart of its pool" in lifted["note"]


def test_waiting_tasks_are_revoked(stage: Stage) -> None:
    waiting = stage.app.send_task("tests.add", (1, 1), queue="later")
    later = stage.app.send_task("tests.add", (1, 1), countdown=3600)
    wait_for(lambda: stage.ask("scheduled", stage.plain), 10.0)
    both = sorted([stage.plain.hostname, stage.scaling.hostname])
    for result in (waiting, later):
        told = stage.v1(f"tasks/{result.id}/revocation").json()
        assert told["outcome"] == "confirmed"
        assert [said["worker"] for said in told["confirmed"]] == both
        state = stage.server.get(f"/api/v1/tasks/{result.id}/revocation").json()
        assert (state["state"], state["command"]["id"]) == ("flagged", told["id"])
    stage.flower("worker/queue/add-consumer/{w}?queue=later")
    wait_for(lambda: waiting.state == "REVOKED", 15.0)
    # before 5.6 one that waits for its time is thrown away then, and told to the result backend then
    expected = "PENDING" if is_before(celery.__version__, (5, 6)) else "REVOKED"
    wait_for(lambda: later.state == expected, 15.0)
    stage.flower("worker/queue/cancel-consumer/{w}?queue=later")
    assert stage.server.get("/api/v1/tasks/unseen/revocation").json()["state"] == "none"


def test_a_running_task_only_ends_when_terminated(stage: Stage) -> None:
    running = stage.app.send_task("tests.sleep", (60,))
    wait_for(lambda: stage.ask("active", stage.plain), 10.0)
    assert stage.flower(f"task/revoke/{running.id}").status == 200
    assert [task["id"] for task in stage.ask("active", stage.plain)] == [running.id]
    told = stage.v1(f"tasks/{running.id}/revocation", {"terminate": True, "signal": "SIGKILL"}).json()
    assert {said["text"] for said in told["confirmed"]} == {
        f"terminate: {running.id}",
        "terminate: tasks unknown",
    }
    wait_for(lambda: running.state == "REVOKED", 15.0)
    assert not stage.ask("active", stage.plain)


def test_nothing_is_sent_that_cannot_be_written_down(history: ToldHistory, tmp_path: Path) -> None:
    (tmp_path / "control.sqlite3").mkdir()
    app = make_app("memory://")
    with serving(make_deps(history.reader, tmp_path, app=app, environ=OPEN)) as server:
        answers = [
            server.send("POST", "/api/task/revoke/x"),
            server.send("POST", "/api/task/send-task/tests.add"),
            send_v1(server, "tasks/x/revocation"),
        ]
        for answer in answers:
            assert answer.status == 503
            assert "Not sent, because it can't be written into the audit" in answer.text
        assert server.get("/api/v1/audit").status == 503


def test_a_running_task_that_cannot_be_terminated_is_told_beforehand(
    redis_url: str, celery_worker: WorkerFactory, history: ToldHistory, tmp_path: Path
) -> None:
    worker = celery_worker(redis_url, pool="threads").wait_until_answering()
    history.tell_worker(worker.hostname)
    history.tell("task-started", "t1", hostname=worker.hostname)
    deps = make_deps(history.reader, tmp_path, app=make_app(redis_url), environ=OPEN)
    deps.inspector.refresh(worker.hostname)
    with serving(deps) as server:
        refused = send_v1(server, "tasks/t1/revocation", {"terminate": True})
        assert refused.status == 409
        assert "its pool (threads) cannot do that" in refused.json()["detail"]
        (row,), _ = deps.audit.fetch(limit=1)
        assert (row.action, row.target, row.outcome) == ("revoke", "t1", "refused")
        assert row.answers["detail"].startswith(f"not sent: {worker.hostname} can't")
        # a task that only the worker knows, not the app: bare, as `umbel serve` has it
        assert deps.inspector.has_registered("tests.add")
        assert not deps.inspector.has_registered("tests.ad")


def test_a_worker_that_is_frozen_is_named_and_delays_nobody(
    redis_url: str, celery_worker: WorkerFactory, history: ToldHistory, tmp_path: Path
) -> None:
    frozen, lively = (celery_worker(redis_url).wait_until_answering() for _ in range(2))
    for worker in (frozen, lively):
        history.tell_worker(worker.wait_until_answering().hostname)
    deps = make_deps(history.reader, tmp_path, app=make_app(redis_url), environ=OPEN, inspect_timeout=4.0)
    with serving(deps) as server:
        frozen.freeze()
        answers: list[Answer] = []

        def grow() -> None:
            answers.append(server.send("POST", f"/api/worker/pool/grow/{frozen.hostname}"))

        threads = [threading.Thread(target=grow) for _ in range(30)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        took = []
        for _ in range(3):
            asked = time.monotonic()
            assert server.send("POST", f"/api/worker/pool/grow/{lively.hostname}").status == 200
            took.append(time.monotonic() - asked)
        assert max(took) < 3.0, took
        told = send_v1(server, "tasks/x/revocation", {"timeout": 2.0})
        assert (told.status, told.json()["outcome"]) == (202, "partly")
        assert told.json()["silent"] == [frozen.hostname]
        for thread in threads:
            thread.join()
        assert time.monotonic() - began < 15.0
        failure = f"Failed to grow '{frozen.hostname}' worker's pool: Unknown reason"
        assert {(answer.status, answer.text) for answer in answers} == {(403, failure)}
        frozen.thaw()


def test_a_worker_that_shuts_down_is_confirmed_by_its_farewell(
    redis_url: str, celery_worker: WorkerFactory, umbel_server: UmbelFactory
) -> None:
    worker = celery_worker(redis_url)
    server = umbel_server(redis_url, environment=OPEN)
    server.wait_until_collecting()
    wait_for(lambda: worker.hostname in server.get("/workers?json=1").text, 20.0)
    told = send_v1(server, f"workers/{worker.hostname}/shutdown", {"timeout": 30})
    assert (told.status, told.json()["outcome"]) == (200, "confirmed")
    wait_for(lambda: not worker.is_running(), 10.0)
    audit = server.get("/api/v1/audit?action=shutdown").json()
    assert [row["target"] for row in audit["items"]] == [worker.hostname]
    assert (server.folder / "state").is_dir()
    assert list((server.folder / "state").rglob("control.sqlite3"))
    unknown = server.send("POST", "/api/worker/shutdown/nobody@test")
    assert (unknown.status, unknown.text) == (404, "Unknown worker 'nobody@test'")
