"""Flower's commands on real workers: what changes there, what is answered, what the audit holds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.tasks import make_app
from tests.conftest import WorkerFactory
from tests.integration.told_history import ToldHistory, told_history
from tests.integration.web_server import make_deps, serving
from tests.servers import wait_for
from umbel.store.audit import AuditLog, AuditRow

OPEN = {"FLOWER_UNAUTHENTICATED_API": "true"}


@pytest.fixture
def history(tmp_path: Path) -> Iterator[ToldHistory]:
    with told_history(tmp_path) as told:
        yield told


def test_a_revoke_goes_through_guard_audit_workers_and_answer(
    redis_url: str, celery_worker: WorkerFactory, history: ToldHistory, tmp_path: Path
) -> None:
    worker = celery_worker(redis_url)
    history.tell_worker(worker.hostname)
    environ: dict[str, str] = {}
    deps = make_deps(history.reader, tmp_path, app=make_app(redis_url), environ=environ)
    with serving(deps) as server:
        assert server.send("POST", "/api/task/revoke/some-id").status == 401
        environ.update(OPEN)
        answer = server.send("POST", "/api/task/revoke/some-id?terminate=1&signal=SIGKILL")
        assert (answer.status, answer.json()) == (200, {"message": "Revoked 'some-id'"})
        (row,) = wait_for(lambda: completed(deps.audit), 10.0)
        assert row.outcome == "confirmed"
        assert row.answers["confirmed"] == {worker.hostname: "terminate: tasks unknown"}
        assert (row.action, row.target) == ("revoke", "some-id")
        assert row.parameters == {"terminate": True, "signal": "SIGKILL"}
        assert (row.who, row.login, row.address) == (None, "none", "127.0.0.1")
        assert row.ended is not None and row.ended >= row.time


def completed(audit: AuditLog) -> list[AuditRow]:
    """All commands that were sent, once their outcomes are known."""
    rows, _ = audit.fetch(limit=100)
    return rows if all(row.ended for row in rows) else []
