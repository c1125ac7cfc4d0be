"""Bulk revocation over a real monitor and real workers: what was previewed is what is revoked, and each task ends in
one outcome. The proof with 10,000 tasks is in `tests/prove`."""

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from celery import Celery

from tests.apps.tasks import make_app
from tests.servers import Answer, CeleryWorker, RedisServer, UmbelServer, wait_for

OPEN = {"FLOWER_UNAUTHENTICATED_API": "true"}


class Stage:
    """A monitor, a worker with one process that is kept busy, and tasks behind it."""

    def __init__(self, stack: ExitStack, url: str) -> None:
        self.app: Celery = make_app(url, task_send_sent_event=True)
        self.umbel = stack.enter_context(UmbelServer(url, environment=OPEN))
        self.worker = stack.enter_context(CeleryWorker(url, arguments=["-Q", "jobs"]))
        self.umbel.wait_until_collecting(60.0)
        self.worker.wait_until_answering()
        wait_for(lambda: self.get(f"workers/{self.worker.hostname}").status == 200, 20.0)

    def send(self, name: str, *args: Any, **options: Any) -> str:
        return str(self.app.send_task(f"tests.{name}", args, **{"queue": "jobs", **options}).id)

    def get(self, path: str) -> Answer:
        return self.umbel.get(f"/api/v1/{path}")

    def post(self, path: str, body: Any = None) -> Answer:
        headers = {"content-type": "application/json"}
        return self.umbel.send(
            "POST",
            f"/api/v1/revocation-jobs{path}",
            body=json.dumps(body or {}),
            headers=headers,
            timeout=30.0,
        )

    def state(self, task_id: str) -> str | None:
        answer = self.get(f"tasks/{task_id}")
        return answer.json()["state"] if answer.status == 200 else None

    def wait_for_state(self, task_id: str, *states: str) -> None:
        wait_for(lambda: self.state(task_id) in states, 20.0, message=lambda: str(self.state(task_id)))

    def finish(self, job: int) -> dict[str, Any]:
        """The job once it runs no more."""
        return wait_for(
            lambda: (got := self.get(f"revocation-jobs/{job}").json())["state"] != "running" and got, 60.0
        )

    def outcomes_of(self, job: int) -> dict[str, int]:
        """Outcome -> tasks."""
        return counts(self.get(f"revocation-jobs/{job}").json()["outcomes"], "outcome")

    def outcomes(self, job: int) -> dict[str, str]:
        items = self.get(f"revocation-jobs/{job}/items?limit=1000").json()["items"]
        return {item["uuid"]: item["outcome"] for item in items}


@pytest.fixture(scope="module")
def stage(redis_server: RedisServer) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(stack, redis_server.url_of(1019))


def counts(entries: list[dict[str, Any]], key: str) -> dict[str, int]:
    return {entry[key]: entry["count"] for entry in entries}


@pytest.mark.timeout(120)
def test_a_filter_is_previewed_pinned_and_revoked(stage: Stage) -> None:
    busy = stage.send("sleep", 600)
    stage.wait_for_state(busy, "STARTED")
    waiting = [stage.send("echo", "old", n) for n in range(120)]
    other = stage.send("add", 1, 2)
    stage.wait_for_state(waiting[-1], "PENDING", "RECEIVED")
    stage.wait_for_state(other, "PENDING")
    job = stage.post("", {"filter": {"name": "tests.echo"}}).json()
    assert (job["state"], job["total"], counts(job["outcomes"], "outcome")) == (
        "preview",
        120,
        {"waiting": 120},
    )
    assert sum(counts(job["states"], "state").values()) == 120
    # sent after the preview: not among what was previewed
    late = stage.send("echo", "late")
    stage.wait_for_state(late, "PENDING")
    assert stage.post(f"/{job['id']}/start", {"confirm": 119}).json()["parameter"] == "confirm"
    begun = stage.post(f"/{job['id']}/start", {"confirm": 120})
    assert (begun.status, begun.json()["state"]) == (202, "running")
    done = stage.finish(job["id"])
    assert (done["state"], counts(done["outcomes"], "outcome")) == ("done", {"revoked": 120})
    assert stage.outcomes(job["id"]) == dict.fromkeys(waiting, "revoked")
    assert stage.post(f"/{job['id']}/start", {"confirm": 120}).status == 409
    refused, row = stage.get(f"audit?target={job['id']}&action=revoke_many").json()["items"]
    assert refused["outcome"] == "refused"
    assert (row["outcome"], row["detail"]) == ("confirmed", "120 revoked before start")
    assert (row["id"], row["parameters"]["tasks"]) == (done["command"], 120)

    # the one that runs is started, and ended where that is asked for; others go on
    job = stage.post("", {"ids": [busy, busy, waiting[0], "never-seen"]}).json()
    assert counts(job["states"], "state") == {None: 1, stage.state(waiting[0]): 1, "STARTED": 1}
    stage.post(f"/{job['id']}/start", {"confirm": 3, "terminate": True, "signal": "KILL"})
    done = stage.finish(job["id"])
    assert stage.outcomes(job["id"]) == {busy: "terminated", waiting[0]: "revoked", "never-seen": "revoked"}
    assert (done["signal"], done["silent"]) == ("SIGKILL", [])
    stage.wait_for_state(other, "SUCCESS")
    stage.wait_for_state(late, "SUCCESS")
    for task in (waiting[0], waiting[-1]):
        stage.wait_for_state(task, "REVOKED")
    again = stage.post("", {"ids": [*waiting, busy]}).json()
    assert (again["total"], counts(again["left_out"], "state")) == (0, {"REVOKED": 121})
    assert "no task" in stage.post(f"/{again['id']}/start", {"confirm": 0}).json()["detail"]


@pytest.mark.timeout(120)
def test_a_silent_worker_makes_it_fail_and_is_named(stage: Stage) -> None:
    waiting = stage.send("echo", countdown=3600)
    stage.wait_for_state(waiting, "RECEIVED")
    job = stage.post("", {"filter": {"name": "tests.echo", "state": ["received"]}}).json()
    assert job["total"] == 1
    stage.worker.freeze()
    try:
        stage.post(f"/{job['id']}/start", {"confirm": 1})
        done = stage.finish(job["id"])
    finally:
        stage.worker.thaw()
    assert (done["state"], counts(done["outcomes"], "outcome")) == ("done", {"failed": 1})
    assert done["silent"] == [stage.worker.hostname]
    (item,) = stage.get(f"revocation-jobs/{job['id']}/items").json()["items"]
    assert item["detail"] == f"not confirmed by {stage.worker.hostname}"
    row = stage.get(f"audit?target={job['id']}&action=revoke_many").json()["items"][0]
    assert (row["outcome"], row["silent"], row["detail"]) == ("silent", [stage.worker.hostname], "1 failed")


@pytest.mark.timeout(120)
def test_a_job_can_be_stopped_and_says_what_was_not_sent(stage: Stage) -> None:
    ids = [str(uuid.uuid4()) for _ in range(4_000)]
    job = stage.post("", {"ids": ids}).json()
    assert job["total"] == 4_000
    stage.post(f"/{job['id']}/start", {"confirm": 4_000})
    wait_for(lambda: stage.outcomes_of(job["id"]).get("waiting", 0) < 4_000, 20.0)
    stopped = stage.post(f"/{job['id']}/stop")
    assert (stopped.status, stopped.json()["stopping"]) == (202, True)
    done = stage.finish(job["id"])
    told = counts(done["outcomes"], "outcome")
    assert done["state"] == "stopped"
    assert set(told) == {"revoked", "not_sent"}
    assert sum(told.values()) == 4_000
    assert stage.post(f"/{job['id']}/stop").status == 409
    page = stage.get(f"revocation-jobs/{job['id']}/items?outcome=not_sent&limit=2").json()
    assert [item["outcome"] for item in page["items"]] == ["not_sent", "not_sent"]
    following = stage.get(
        f"revocation-jobs/{job['id']}/items?outcome=not_sent&limit=2&cursor={page['next']}"
    ).json()
    assert not {item["uuid"] for item in page["items"]} & {item["uuid"] for item in following["items"]}
    listed = stage.get("revocation-jobs?limit=1").json()
    assert (listed["items"][0]["id"], listed["next"]) == (job["id"], str(job["id"]))


def test_bad_input_is_told(stage: Stage) -> None:
    for body, parameter in (
        ({}, "ids"),
        ({"filter": {}}, "filter"),
        ({"ids": ["a"], "filter": {"name": "x"}}, "filter"),
        ({"filter": {"search": '"'}}, "search"),
        ({"filter": {"received_from": "soon"}}, "received_from"),
        ({"filter": {"colour": "red"}}, "colour"),
        ({"ids": [""]}, "ids"),
    ):
        refused = stage.post("", body)
        assert (refused.status, refused.json()["parameter"]) == (400, parameter), (body, refused.text)
    for path in ("/999999", "/x", "/999999/items"):
        assert stage.get(f"revocation-jobs{path}").status == 404
    assert stage.post("/999999/start", {"confirm": 1}).status == 404
    job = stage.post("", {"ids": ["x"]}).json()["id"]
    assert stage.post(f"/{job}/start", {"confirm": 1, "signal": "STOP"}).json()["parameter"] == "signal"
    assert stage.post(f"/{job}/start").status == 400
    assert stage.get(f"revocation-jobs/{job}/items?outcome=eaten").json()["parameter"] == "outcome"
    assert stage.get(f"revocation-jobs/{job}/items?cursor=x").json()["parameter"] == "cursor"
