"""Real workers that are silent because they are busy or send no heartbeats: not taken for dead, unless they are."""

import time
from pathlib import Path

import pytest

from tests.apps.tasks import make_app
from tests.conftest import WorkerFactory
from tests.integration.running_collector import RunningCollector
from tests.integration.test_collector_liveness import LOST_WITHIN, ONLINE_WITHIN
from tests.servers.cluster import Pool

#: RabbitMQ is in the proof of the labels, with all pools and fates.
BROKERS = ["redis_url", pytest.param("rabbitmq_url", marks=pytest.mark.prove)]

POOLS: list[Pool] = ["prefork", "threads", "gevent", "solo"]


def block(broker: str, seconds: float) -> str:
    app = make_app(broker)
    try:
        uuid: str = app.send_task("tests.sleep", (seconds,), retry=False).id
        return uuid
    finally:
        app.close()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("broker", BROKERS)
def test_a_blocked_solo_worker_is_busy_silent_and_becomes_lost_when_killed(
    broker: str, request: pytest.FixtureRequest, tmp_path: Path, celery_worker: WorkerFactory
) -> None:
    url = request.getfixturevalue(broker)
    with RunningCollector(url, tmp_path) as collector:
        worker = celery_worker(url, pool="solo")
        collector.wait_for_status(worker.hostname, "online", ONLINE_WITHIN)
        block(url, 300)
        collector.wait_for_status(worker.hostname, "busy-silent", LOST_WITHIN)
        held = time.monotonic()
        while time.monotonic() - held < 15:
            row = collector.worker(worker.hostname)
            assert row is not None
            assert row.status == "busy-silent"
            time.sleep(0.5)
        worker.kill9()
        collector.wait_for_status(worker.hostname, "lost", LOST_WITHIN)


@pytest.mark.timeout(120)
def test_the_running_task_of_a_killed_worker_becomes_unknown(
    redis_url: str, tmp_path: Path, celery_worker: WorkerFactory
) -> None:
    with RunningCollector(redis_url, tmp_path, unknown_after=5.0) as collector:
        worker = celery_worker(redis_url)
        uuid = block(redis_url, 300)
        collector.wait_for_state(uuid, "STARTED")
        worker.kill9()
        collector.wait_for_state(uuid, "UNKNOWN", LOST_WITHIN + 15.0)


@pytest.mark.timeout(120)
def test_a_worker_without_heartbeats_stays_online(
    redis_url: str, tmp_path: Path, celery_worker: WorkerFactory
) -> None:
    worker = celery_worker(redis_url, arguments=["--without-heartbeat"])
    with RunningCollector(redis_url, tmp_path) as collector:
        collector.wait_for_status(worker.hostname, "online", ONLINE_WITHIN)
        held = time.monotonic()
        while time.monotonic() - held < 40:
            row = collector.worker(worker.hostname)
            assert row is not None
            assert row.status == "online"
            time.sleep(0.5)
        worker.kill9()
        collector.wait_for_status(worker.hostname, "lost", LOST_WITHIN)


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize("heartbeat", [True, False])
@pytest.mark.parametrize("pool", POOLS)
def test_a_worker_blocked_for_five_minutes_is_never_called_lost(
    pool: Pool, heartbeat: bool, redis_url: str, tmp_path: Path, celery_worker: WorkerFactory
) -> None:
    arguments = [] if heartbeat else ["--without-heartbeat"]
    with RunningCollector(redis_url, tmp_path) as collector:
        worker = celery_worker(redis_url, pool=pool, arguments=arguments)
        collector.wait_for_status(worker.hostname, "online", ONLINE_WITHIN)
        uuid = block(redis_url, 300)
        begun = time.monotonic()
        while time.monotonic() - begun < 295:
            row = collector.worker(worker.hostname)
            assert row is not None
            assert row.status in ("online", "busy-silent")
            time.sleep(1.0)
        collector.wait_for_state(uuid, "SUCCESS", 60.0)
        collector.wait_for_status(worker.hostname, "online", ONLINE_WITHIN)
