"""Queues and waits as Prometheus hears of them, from a real broker and a real worker."""

import re

import pytest

from tests.apps.tasks import make_app
from tests.conftest import UmbelFactory, WorkerFactory
from tests.servers import UmbelServer, wait_for


def metric(umbel: UmbelServer, name: str, **labels: str) -> float | None:
    """The value of one sample; None where there is none."""
    for line in umbel.get("/metrics").text.splitlines():
        if line.partition("{")[0].partition(" ")[0] == name:
            found = dict(re.findall(r'(\w+)="([^"]*)"', line))
            if found == labels:
                return float(line.rpartition(" ")[2])
    return None


@pytest.mark.timeout(90)
def test_depth_age_and_waits_are_told_and_waits_survive_a_restart(
    redis_url: str, umbel_server: UmbelFactory, celery_worker: WorkerFactory
) -> None:
    umbel = umbel_server(redis_url)
    umbel.wait_until_collecting()
    app = make_app(redis_url)
    app.conf.task_send_sent_event = True
    for _ in range(6):
        app.send_task("tests.sleep", (0.2,))
    wait_for(lambda: metric(umbel, "umbel_queue_messages", queue="celery") == 6, 30.0)
    assert metric(umbel, "umbel_queue_unacked", queue="celery") == 0
    wait_for(lambda: metric(umbel, "umbel_queue_oldest_seconds", queue="celery", basis="sent"), 30.0)
    celery_worker(redis_url)
    # an ETA is a wait on purpose
    app.send_task("tests.sleep", (0.0,), countdown=2)
    labels = {"task": "tests.sleep", "basis": "sent"}
    wait_for(lambda: umbel.get("/api/v1/tasks?state=SUCCESS").json()["total"]["value"] == 7, 30.0)
    assert metric(umbel, "umbel_task_wait_seconds_count", **labels) == 6
    total = metric(umbel, "umbel_task_wait_seconds_sum", **labels)
    assert total is not None and total > 6 * 1.0
    # all of them waited for the worker, which takes longer than that to start
    assert metric(umbel, "umbel_task_wait_seconds_bucket", le="0.5", **labels) == 0
    wait_for(lambda: metric(umbel, "umbel_queue_messages", queue="celery") == 0, 30.0)
    assert metric(umbel, "umbel_queue_oldest_seconds", queue="celery", basis="sent") == 0
    umbel.restart()
    wait_for(lambda: metric(umbel, "umbel_task_wait_seconds_count", **labels) == 6, 20.0)
