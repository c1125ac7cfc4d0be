"""`umbel doctor` and `/api/v1/findings` on real brokers and workers: what is wrong is named, with what to do."""

from pathlib import Path

import redis

from tests.acceptance.spawn import run_module
from tests.apps.tasks import make_app
from tests.conftest import UmbelFactory, WorkerFactory
from tests.servers import RedisServer, free_port, wait_for
from tests.servers.cluster import ROOT

APP = """
from celery import Celery
app = Celery("shop")
app.conf.event_exchange = "other"
@app.task
def pay(): ...
"""


def test_a_broker_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    answer = run_module("umbel", "doctor", f"--broker=redis://:pw@127.0.0.1:{free_port()}/0", folder=tmp_path)
    assert answer.returncode == 1, answer.stderr
    assert "[broker-unreachable]" in answer.stdout and "refused" in answer.stdout
    assert ":pw@" not in answer.stdout + answer.stderr
    assert "Traceback" not in answer.stdout + answer.stderr


def test_a_sound_cluster_is_told_as_such(
    redis_url: str, celery_worker: WorkerFactory, tmp_path: Path
) -> None:
    worker = celery_worker(redis_url, backend=redis_url)
    answer = run_module("umbel", "doctor", "--broker", redis_url, folder=tmp_path)
    assert (answer.returncode, answer.stdout) == (0, "1 worker answered; nothing is wrong.\n"), answer.stderr
    assert worker.hostname not in answer.stdout


def test_workers_in_another_database_or_under_a_prefix_are_found(
    celery_worker: WorkerFactory, tmp_path: Path
) -> None:
    with RedisServer() as server:
        host = server.url.rsplit("/", 1)[0] if server.url.count("/") > 2 else server.url
        celery_worker(f"{host}/1")
        with redis.Redis.from_url(f"{host}/0") as client:
            client.sadd("shop:_kombu.binding.celery", "x")
            answer = run_module("umbel", "doctor", f"--broker={host}/0", folder=tmp_path)
            assert client.smembers("shop:_kombu.binding.celery") == {b"x"}
    assert answer.returncode == 1, answer.stderr
    assert "[wrong-prefix]" in answer.stdout
    assert "database 0 under the prefix 'shop:', database 1; we look in database 0." in answer.stdout


def test_another_event_exchange_is_named_with_the_option_that_helps(
    redis_url: str, celery_worker: WorkerFactory, tmp_path: Path
) -> None:
    (tmp_path / "shop_of_doctor.py").write_text(APP)
    worker = celery_worker(redis_url, app="shop_of_doctor", environment={"PYTHONPATH": f"{tmp_path}:{ROOT}"})
    answer = run_module("umbel", "doctor", "--broker", redis_url, folder=tmp_path)
    assert answer.returncode == 1, answer.stderr
    assert "[wrong-exchange]" in answer.stdout and worker.hostname in answer.stdout
    assert "--event_exchange=other" in answer.stdout
    helped = run_module("umbel", "doctor", "--broker", redis_url, "--event_exchange=other", folder=tmp_path)
    assert helped.returncode == 0, helped.stdout


def test_a_worker_without_events_is_named_while_it_works(
    redis_url: str, celery_worker: WorkerFactory, umbel_server: UmbelFactory
) -> None:
    worker = celery_worker(redis_url, events=False)
    server = umbel_server(redis_url, arguments=["--enable_events=False"])
    app = make_app(redis_url)

    def warned() -> bool:
        app.send_task("tests.add", (1, 1))
        items = server.get("/api/v1/findings").json()["items"]
        return [item["workers"] for item in items if item["code"] == "events-off"] == [[worker.hostname]]

    wait_for(warned, 20)
    # now it is asked to, as `enable_events` would
    app.control.enable_events()
    wait_for(lambda: not warned(), 20)
