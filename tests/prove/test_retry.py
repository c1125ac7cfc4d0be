"""Proof: a retry gives a task just what its first run received, or is refused with the reason, on real servers."""

import json
import pickle
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery

from tests.apps.recording import FOLDER, SETTINGS, make_app
from tests.conftest import UmbelFactory, WorkerFactory
from tests.prove.figures import table
from tests.servers import UmbelServer, wait_for
from umbel.control.fidelity import same

pytestmark = [pytest.mark.prove, pytest.mark.filterwarnings("ignore:Call to deprecated")]

#: What demand AC1 names, and what JSON, YAML and pickle treat in ways of their own.
VALUES: dict[str, Any] = {
    "tuple": (1, ("a", 2)),
    "bytes": b"\xff\x00plain",
    "datetime": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    "naive datetime": datetime(2026, 1, 2, 3, 4, 5),
    "unicode": "花 \U0001f338 \u2028'\"\\",
    "100 KB": {"text": "x" * 100_000, "nested": [{"n": n} for n in range(100)]},
    "numbers": [0, -0.0, 1e300, 2**62, None, True],
}
#: Settings of serializers. With the last one results lose what messages hold.
JSON: dict[str, Any] = {}
YAML = {"task_serializer": "yaml", "result_serializer": "yaml", "accept_content": ["yaml"]}
PICKLE = {"task_serializer": "pickle", "result_serializer": "pickle", "accept_content": ["pickle", "json"]}
MIXED = {"task_serializer": "pickle", "accept_content": ["pickle", "json"]}
OPEN = {"FLOWER_UNAUTHENTICATED_API": "true", "C_FORCE_ROOT": "1"}


class Scene:
    """A worker and the monitor on one broker and backend."""

    def __init__(self, app: Celery, umbel: UmbelServer, folder: Path) -> None:
        self.app = app
        self.umbel = umbel
        self.folder = folder

    def send(self, *args: Any, task_id: str | None = None, **options: Any) -> str:
        """Call the task; return its id."""
        uuid = task_id or str(uuid4())
        with self.app.connection_for_write() as connection:
            self.app.send_task(
                "tests.record", args, {"again": args[0]}, task_id=uuid, connection=connection, **options
            )
        return uuid

    def task(self, uuid: str) -> Any:
        """As the API has it, once it has ended."""
        path = f"/api/v1/tasks/{uuid}"
        return wait_for(lambda: self._ended(path), 30.0, message=lambda: self.umbel.get(path).text)

    def _ended(self, path: str) -> Any:
        answer = self.umbel.get(path)
        if answer.status != 200 or answer.json()["source"] != "events":
            return None  # its result may be there before its events are stored
        task = answer.json()
        return task if task["finished"] else None

    def received(self, uuid: str) -> list[Any]:
        wait_for(lambda: (self.folder / uuid).exists(), 30.0)
        args, kwargs, told = pickle.loads((self.folder / uuid).read_bytes())
        assert told["delivery_info"]["routing_key"] == "celery"
        return [list(args), kwargs]

    def retry(self, uuid: str) -> tuple[str, str]:
        """("same" or what came, else "refused"), and from where, or why not."""
        told = self.umbel.get(f"/api/v1/tasks/{uuid}/retry").json()
        answer = self.umbel.send(
            "POST", f"/api/v1/tasks/{uuid}/retry", headers={"content-type": "application/json"}
        )
        if not told["possible"]:
            assert answer.status == 409, answer.text
            return "refused", told["reason"]
        assert answer.status == 200, answer.text
        new = answer.json()["task_id"]
        task = self.task(new)
        assert task["retry_of"] == uuid
        assert new in self.task(uuid)["retried_as"]
        was, came = self.received(uuid), self.received(new)
        return ("same" if same(was, came) else f"{was} became {came}"), told["source"]


@pytest.fixture
def meet(tmp_path: Path, celery_worker: WorkerFactory, umbel_server: UmbelFactory) -> Callable[..., Scene]:
    def make(broker: str, backend: str | None, settings: dict[str, Any], *, bare: bool = False) -> Scene:
        environment = {FOLDER: str(tmp_path), SETTINGS: json.dumps(settings), **OPEN}
        module = "tests.apps.recording"
        celery_worker(broker, app=module, backend=backend, environment=environment)
        words = [sys.executable, "-m", "umbel", "serve", "--broker", broker]
        words += ["--result-backend", backend] if backend else []
        arguments = [] if bare or backend is None else [f"--result-backend={backend}"]
        umbel = umbel_server(
            None if bare else broker, app=module, environment=environment, whole=words if bare else None,
            arguments=arguments,
        )  # fmt: skip
        wait_for(lambda: umbel.get("/health/ready").status == 200, 30.0)
        return Scene(make_app(broker, backend, **settings), umbel, tmp_path)

    return make


def cases() -> Iterator[Any]:
    """(settings, backend, broker, without an app): every kind of each, though not all with all."""
    for backend in ("redis", "database", "file"):
        for broker in ("redis", "rabbitmq"):
            yield pytest.param(JSON, backend, broker, False, id=f"json-{backend}-{broker}-app")
            yield pytest.param(JSON, backend, broker, True, id=f"json-{backend}-{broker}-bare")
        yield pytest.param(YAML, backend, "redis", False, id=f"yaml-{backend}-redis-app")
        yield pytest.param(PICKLE, backend, "redis", False, id=f"pickle-{backend}-redis-app")
    for name, settings in (("yaml", YAML), ("pickle", PICKLE), ("mixed", MIXED)):
        yield pytest.param(settings, "redis", "rabbitmq", False, id=f"{name}-redis-rabbitmq-app")
        yield pytest.param(settings, "redis", "redis", True, id=f"{name}-redis-redis-bare")


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("settings", "kind", "broker", "bare"), list(cases()))
def test_a_retry_gives_what_the_first_run_received(
    meet: Callable[..., Scene], redis_url: str, request: pytest.FixtureRequest, tmp_path: Path,
    settings: dict[str, Any], kind: str, broker: str, bare: bool,
) -> None:  # fmt: skip
    url = redis_url if broker == "redis" else str(request.getfixturevalue("rabbitmq_url"))
    files = {"database": f"db+sqlite:///{tmp_path}/results.sqlite3", "file": f"file://{tmp_path}"}
    scene = meet(url, files.get(kind, redis_url), settings, bare=bare)
    sent = {name: scene.send(value) for name, value in VALUES.items()}
    for uuid in sent.values():
        scene.task(uuid)
    came = {name: scene.retry(uuid) for name, uuid in sent.items()}
    print(table(f"{broker}, {kind}, {settings or 'json'}, {'bare' if bare else 'app'}", {
        name: f"{what} ({where})" for name, (what, where) in came.items()
    }))  # fmt: skip
    # a bare app knows no serializer but JSON, and reads no extended results from a database; JSON keeps no tuples
    is_refused = settings is MIXED or (bare and (bool(settings) or kind == "database"))
    for name, (what, where) in came.items():
        assert what == ("refused" if is_refused else "same"), name
        assert is_refused or where == "result"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("settings", [JSON, YAML, PICKLE, MIXED], ids=["json", "yaml", "pickle", "mixed"])
def test_a_message_that_is_still_in_a_queue_gives_it_too(
    meet: Callable[..., Scene], redis_url: str, settings: dict[str, Any]
) -> None:
    scene = meet(redis_url, redis_url, {**settings, "result_extended": False})
    sent = {name: scene.send(value) for name, value in VALUES.items()}
    for name, uuid in sent.items():  # delivered twice, as after the visibility timeout
        scene.task(uuid)
        scene.send(VALUES[name], task_id=uuid, queue="parked")

    def is_found(uuid: str) -> bool:
        told = scene.umbel.get(f"/api/v1/tasks/{uuid}/retry").json()
        return (told["source"], told["queue"], told["possible"]) == ("message", "parked", True)

    for name, uuid in sent.items():
        # a queue that no event named is found when the broker is asked for its queues the next time
        wait_for(lambda uuid=uuid: is_found(uuid), 30.0)  # type: ignore[misc]
        answer = scene.umbel.send(
            "POST", f"/api/v1/tasks/{uuid}/retry", body='{"queue": "celery"}',
            headers={"content-type": "application/json"},
        )  # fmt: skip
        assert answer.status == 200, answer.text
        assert same(scene.received(uuid), scene.received(answer.json()["task_id"])), name


@pytest.mark.timeout(120)
def test_without_extended_results_it_is_refused_on_rabbitmq(
    meet: Callable[..., Scene], rabbitmq_url: str, redis_url: str
) -> None:
    scene = meet(rabbitmq_url, redis_url, {"result_extended": False})
    uuid = scene.send("x")
    scene.task(uuid)
    what, why = scene.retry(uuid)
    assert what == "refused"
    assert "without taking them out" in why and "result_extended is off" in why
