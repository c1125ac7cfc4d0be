"""Real workers, killed, started again and stopped: the documented label within the documented time."""

from pathlib import Path

import pytest

from tests.conftest import WorkerFactory
from tests.integration.running_collector import RunningCollector
from tests.servers.cluster import Pool

#: RabbitMQ is in the proof of the labels, with all pools and fates.
BROKERS = ["redis_url", pytest.param("rabbitmq_url", marks=pytest.mark.prove)]

#: See docs/explanation/worker-liveness.md. The tests' own machines are slow, hence two seconds more.
ONLINE_WITHIN, STOPPED_WITHIN, LOST_WITHIN = 12.0, 5.0, 30.0 + 2.0

#: All pools are in that proof, too.
POOLS = ["prefork", pytest.param("solo", marks=pytest.mark.prove)]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("broker", BROKERS)
@pytest.mark.parametrize("pool", POOLS)
def test_a_worker_is_online_then_killed_then_back_then_stopped(
    pool: Pool, broker: str, request: pytest.FixtureRequest, tmp_path: Path, celery_worker: WorkerFactory
) -> None:
    url = request.getfixturevalue(broker)
    with RunningCollector(url, tmp_path) as collector:
        worker = celery_worker(url, pool=pool)
        name = worker.hostname
        collector.wait_for_status(name, "online", ONLINE_WITHIN)

        worker.kill9()
        collector.wait_for_status(name, "lost", LOST_WITHIN)

        worker.restart()
        collector.wait_for_status(name, "online", ONLINE_WITHIN)
        row = collector.worker(name)
        assert row is not None
        assert row.runs == 2

        worker.terminate()
        collector.wait_for_status(name, "stopped", STOPPED_WITHIN)
