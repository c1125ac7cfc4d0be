"""A command whose server is killed before the answers come is not left as requested for ever."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import UmbelFactory, WorkerFactory
from tests.servers import UmbelServer, wait_for

OPEN = {"FLOWER_UNAUTHENTICATED_API": "true"}


def rows(server: UmbelServer) -> dict[str, Any]:
    """Target -> row of the audit."""
    return {row["target"]: row for row in server.get("/api/v1/audit").json()["items"]}


def ask(server: UmbelServer, target: str) -> threading.Thread:
    """Revoke a task, and wait for workers longer than the test does."""

    def send() -> None:
        try:
            server.send(
                "POST", f"/api/v1/tasks/{target}/revocation", body=json.dumps({"timeout": 60}),
                headers={"content-type": "application/json"}, timeout=90.0,
            )  # fmt: skip
        except OSError:
            return  # the server was killed

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    wait_for(lambda: target in rows(server), 20.0)
    return thread


@pytest.mark.timeout(120)
def test_a_killed_servers_command_is_given_up_at_the_next_start(
    redis_url: str, celery_worker: WorkerFactory, umbel_server: UmbelFactory, tmp_path: Path
) -> None:
    worker = celery_worker(redis_url).wait_until_answering()
    history = [f"--db={tmp_path / 'history.sqlite3'}"]
    killed = umbel_server(redis_url, arguments=history, environment=OPEN)
    wait_for(lambda: killed.get(f"/api/v1/workers/{worker.hostname}").status == 200, 60.0)
    worker.freeze()
    try:
        asked = ask(killed, "waiting")
        assert rows(killed)["waiting"]["outcome"] == "requested"
        killed.kill9()
        asked.join(30.0)
    finally:
        worker.thaw()
    row = rows(umbel_server(redis_url, arguments=history, environment=OPEN))["waiting"]
    assert (row["outcome"], row["ended"]) == ("unknown", None)
    assert row["detail"] == "the server ended before the answers came"
