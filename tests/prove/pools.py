"""Commands to a worker of every kind of pool: what is told beforehand, and what it does then."""

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.apps.tasks import make_app
from tests.integration.told_history import told_history
from tests.integration.web_server import make_deps, serving
from tests.servers import CeleryWorker, wait_for
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


def meet_pool(broker: str, pool: Pool, folder: Path) -> Met:
    """Start a worker of this pool and send it every command."""
    met = Met(pool)
    with ExitStack() as stack:
        worker = stack.enter_context(CeleryWorker(broker, pool=pool, backend=broker, concurrency=2))
        told = stack.enter_context(told_history(folder))
        told.tell_worker(worker.hostname)
        app = make_app(broker, broker)
        deps = make_deps(told.reader, folder, app=app, environ=OPEN, inspect_timeout=5.0)
        server = stack.enter_context(serving(deps))
        deps.inspector.refresh(worker.hostname)
        name = worker.hostname

        def v1(path: str, body: Any = None) -> Any:
            headers = {"content-type": "application/json"}
            return server.send("POST", f"/api/v1/{path}", body=json.dumps(body or {}), headers=headers)

        able = server.get(f"/api/v1/workers/{name}/control").json()
        assert able["pool"] == pool, able
        met.told = {action: ability["possible"] for action, ability in able["abilities"].items()}
        ways = {
            "pool_grow": ("grow", "growth"),
            "pool_shrink": ("shrink", "shrinkage"),
            "pool_restart": ("restart", "restart"),
        }
        for action, (flower, resource) in ways.items():
            met.did[action] = server.send("POST", f"/api/worker/pool/{flower}/{name}").status == 200
            met.v1[action] = v1(f"workers/{name}/pool/{resource}").status
        scale = f"/api/worker/pool/autoscale/{name}?min=1&max=2"
        met.did["autoscale"] = server.send("POST", scale).status == 200
        met.v1["autoscale"] = v1(f"workers/{name}/autoscale", {"min": 1, "max": 2}).status

        later = app.send_task("tests.add", (1, 1), countdown=3600)
        wait_for(lambda: app.control.inspect([name], timeout=5.0).scheduled()[name], 20.0)
        assert v1(f"tasks/{later.id}/revocation").json()["outcome"] == "confirmed"
        wait_for(lambda: later.state == "REVOKED", 20.0)
        met.waiting = later.state

        running = app.send_task("tests.sleep", (8,))
        if pool == "solo":
            met.terminated = "not asked: it hears nothing while it works"
        else:
            wait_for(lambda: app.control.inspect([name], timeout=5.0).active()[name], 20.0)
            outcome = v1(f"tasks/{running.id}/revocation", {"terminate": True}).json()["outcome"]
            wait_for(lambda: running.state in ("REVOKED", "SUCCESS", "FAILURE"), 30.0)
            met.terminated = f"{outcome}, {running.state}"
        server.send("POST", f"/api/worker/shutdown/{name}")
        wait_for(lambda: not worker.is_running(), 40.0)
        met.has_ended = True
    return met
