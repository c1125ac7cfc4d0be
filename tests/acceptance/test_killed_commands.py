"""Commands whose server is killed before the answers come are not left as requested, or as running, for ever."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import UmbelFactory, WorkerFactory
from tests.servers import UmbelServer, wait_for

OPEN = {"FLOWER_UNAUTHENTICATED_API": "true"}
JOBS = "/api/v1/revocation-jobs"


def rows(server: UmbelServer) -> dict[str, Any]:
    """Target -> row of the audit."""
    return {row["target"]: row for row in server.get("/api/v1/audit").json()["items"]}


def ask(server: UmbelServer, target: str) -> None:
    """Revoke a task, and wait for workers longer than the test does."""

    def send() -> None:
        try:
            server.send(
                "POST", f"/api/v1/tasks/{target}/revocation", body=json.dumps({"timeout": 60}),
                headers={"content-type": "application/json"}, timeout=90.0,
            )  # fmt: skip
        except OSError:
            return  # the server was killed

    threading.Thread(target=send, daemon=True).start()
    wait_for(lambda: target in rows(server), 20.0)


def post(server: UmbelServer, path: str, body: Any) -> Any:
    """Send a command that is taken."""
    answer = server.send(
        "POST", path, body=json.dumps(body), headers={"content-type": "application/json"}, timeout=30.0
    )
    assert answer.status in (200, 202), answer.text
    return answer.json()


def outcomes(server: UmbelServer, job: int) -> dict[str, int]:
    """Outcome -> tasks of a bulk revocation."""
    told = server.get(f"{JOBS}/{job}").json()["outcomes"]
    return {entry["outcome"]: entry["count"] for entry in told}


@pytest.mark.timeout(120)
def test_the_next_start_tells_what_a_killed_server_had_done(
    redis_url: str, celery_worker: WorkerFactory, umbel_server: UmbelFactory, tmp_path: Path
) -> None:
    worker = celery_worker(redis_url).wait_until_answering()
    history = [f"--db={tmp_path / 'history.sqlite3'}"]
    killed = umbel_server(redis_url, arguments=history, environment=OPEN)
    wait_for(lambda: killed.get(f"/api/v1/workers/{worker.hostname}").status == 200, 60.0)
    job = post(killed, JOBS, {"ids": [f"task-{n}" for n in range(2_000)]})["id"]
    worker.freeze()
    try:
        ask(killed, "waiting")
        post(killed, f"{JOBS}/{job}/start", {"confirm": 2_000})
        wait_for(lambda: outcomes(killed, job).get("sent", 0) >= 500, 30.0)
        assert rows(killed)["waiting"]["outcome"] == "requested"
        killed.kill9()
    finally:
        worker.thaw()
    server = umbel_server(redis_url, arguments=history, environment=OPEN)
    row = rows(server)["waiting"]
    assert (row["outcome"], row["ended"]) == ("unknown", None)
    assert row["detail"] == "the server ended before the answers came"
    # what was sent and not judged is not called done, and the rest was not sent
    told, after = server.get(f"{JOBS}/{job}").json(), outcomes(server, job)
    assert told["state"] == "interrupted"
    assert set(after) == {"failed", "not_sent"}
    assert after["failed"] >= 500
    assert sum(after.values()) == 2_000
    row = rows(server)[str(job)]
    assert (row["outcome"], row["id"]) == ("unknown", told["command"])
    assert f"{after['failed']:,} failed, {after['not_sent']:,} not sent" in row["detail"]
    assert server.send("POST", f"{JOBS}/{job}/stop").status == 409
