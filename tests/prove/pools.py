"""Commands to a worker of every kind of pool: what is told beforehand, and what it does then."""

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celery import Celery

from tests.apps.tasks import make_app
from tests.integration.told_history import told_history
from tests.integration.web_server import WebServer, make_deps, serving
from tests.servers import Answer, CeleryWorker, wait_for
from tests.servers.cluster import Pool

OPEN = {"FLOWER_UNAUTHENTICATED_API": "true"}


@dataclass
class Met:
    """One pool: what was said to be possible, and what the worker made of the command itself."""

    pool: Pool
    #: Action -> possible, as told beforehand.
    told: dict[str, bool | None] = field(default_factory=dict)
    #: Action -> whether the worker did it when it was asked through Flower's endpoints, which ask nobody beforehand.
    did: dict[str, bool] = field(default_factory=dict)
    #: Status of the same command on `/api/v1`.
    v1: dict[str, int] = field(default_factory=dict)
    #: A running task with `terminate`: REVOKED, or what became of it.
    terminated: str = ""
    waiting: str = ""
    has_ended: bool = False


@dataclass
class Stand:
    """A worker, a server that has inspected it, and what is sent to both."""

    worker: CeleryWorker
    server: WebServer
    app: Celery

    @property
    def name(self) -> str:
        return self.worker.hostname

    def v1(self, path: str, body: Any = None) -> Answer:
        headers = {"content-type": "application/json"}
        return self.server.send("POST", f"/api/v1/{path}", body=json.dumps(body or {}), headers=headers)

    def flower(self, path: str) -> bool:
        """Whether a command of Flower's API was done."""
        return self.server.send("POST", f"/api/worker/{path}").status == 200

    def ask(self, method: str) -> Any:
        return getattr(self.app.control.inspect([self.name], timeout=5.0), method)()[self.name]


def meet_pool(broker: str, pool: Pool, folder: Path) -> Met:
    """Start a worker of this pool and send it every command."""
    met = Met(pool)
    with ExitStack() as stack:
        worker = stack.enter_context(CeleryWorker(broker, pool=pool, backend=broker, concurrency=2))
        told = stack.enter_context(told_history(folder))
        told.tell_worker(worker.wait_until_answering().hostname)
        app = make_app(broker, broker)
        deps = make_deps(told.reader, folder, app=app, environ=OPEN, inspect_timeout=5.0)
        stand = Stand(worker, stack.enter_context(serving(deps)), app)
        deps.inspector.refresh(worker.hostname)
        change_pool(stand, met)
        revoke_tasks(stand, met)
        assert stand.flower(f"shutdown/{stand.name}")
        wait_for(lambda: not worker.is_running(), 40.0)
        met.has_ended = True
    return met


def change_pool(stand: Stand, met: Met) -> None:
    """Everything about its size, first as Flower asks for it, then by `/api/v1`."""
    able = stand.server.get(f"/api/v1/workers/{stand.name}/control").json()
    assert able["pool"] == met.pool, able
    met.told = {action: ability["possible"] for action, ability in able["abilities"].items()}
    ways = {
        "pool_grow": (f"pool/grow/{stand.name}", "pool/growth", None),
        "pool_shrink": (f"pool/shrink/{stand.name}", "pool/shrinkage", None),
        "pool_restart": (f"pool/restart/{stand.name}", "pool/restart", None),
        "autoscale": (f"pool/autoscale/{stand.name}?min=1&max=2", "autoscale", {"min": 1, "max": 2}),
    }
    for action, (flower, resource, body) in ways.items():
        met.did[action] = stand.flower(flower)
        met.v1[action] = stand.v1(f"workers/{stand.name}/{resource}", body).status


def revoke_tasks(stand: Stand, met: Met) -> None:
    """One that waits for its time, and one that runs."""
    later = stand.app.send_task("tests.add", (1, 1), countdown=3600)
    wait_for(lambda: stand.ask("scheduled"), 20.0)
    assert stand.v1(f"tasks/{later.id}/revocation").json()["outcome"] == "confirmed"
    wait_for(lambda: later.state == "REVOKED", 20.0)
    met.waiting = later.state
    running = stand.app.send_task("tests.sleep", (8,))
    if met.pool == "solo":
        met.terminated = "not asked: it hears nothing while it works"
        return
    wait_for(lambda: stand.ask("active"), 20.0)
    outcome = stand.v1(f"tasks/{running.id}/revocation", {"terminate": True}).json()["outcome"]
    wait_for(lambda: running.state in ("REVOKED", "SUCCESS", "FAILURE"), 30.0)
    met.terminated = f"{outcome}, {running.state}"
