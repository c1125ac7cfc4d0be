"""Real workers that live but take no tasks: found within the time that is set, and nobody else is."""

import time
from typing import Any

import pytest

from tests.apps.tasks import make_app
from tests.conftest import UmbelFactory, WorkerFactory
from tests.servers import UmbelServer, wait_for
from tests.servers.relay import Relay

#: Seconds after which a worker is called stalled here, and those within which that must be told.
AFTER, WITHIN = 6.0, 40.0


def stalled(umbel: UmbelServer) -> list[str]:
    """Who is called stalled by the finding, checked against the rows and the metrics."""
    found = [f for f in umbel.get("/api/v1/findings").json()["items"] if f["code"] == "worker-stalled"]
    return found[0]["workers"] if found else []


def rows(umbel: UmbelServer) -> dict[str, Any]:
    return {row["hostname"]: row for row in umbel.get("/api/v1/workers").json()["items"]}


# 20 s: three workers start, and a time passes in which nothing may happen
@pytest.mark.prove
@pytest.mark.timeout(120)
def test_a_worker_whose_connection_hangs_is_found_and_others_are_not(
    redis_url: str, umbel_server: UmbelFactory, celery_worker: WorkerFactory
) -> None:
    umbel = umbel_server(redis_url, arguments=[f"--stalled_after={AFTER}"])
    umbel.wait_until_collecting()
    port = int(redis_url.rsplit(":", 1)[1].split("/")[0])
    with Relay(port) as relay:
        cut = celery_worker(
            redis_url.replace(f":{port}/", f":{relay.port}/"), arguments=["-Q", "orders"]
        ).wait_until_answering()
        idle = celery_worker(redis_url, arguments=["-Q", "mails"])
        busy = celery_worker(redis_url, arguments=["-Q", "reports"])
        app = make_app(redis_url)
        app.send_task("tests.add", (1, 1), queue="orders")
        for _ in range(5):
            app.send_task("tests.sleep", (60,), queue="reports")
        names = {worker.hostname for worker in (cut, idle, busy)}
        wait_for(lambda: rows(umbel).keys() >= names and rows(umbel)[cut.hostname]["started"] == 1, 45.0)
        wait_for(lambda: relay.hang(lambda pair: b"BRPOP" in pair.asked), 10.0)
        begun = time.monotonic()
        for _ in range(3):
            app.send_task("tests.add", (1, 1), queue="orders")
        # somebody looks at the queue, so it is read often
        wait_for(lambda: umbel.get("/api/v1/queues/orders").status == 200 and stalled(umbel), WITHIN)
        assert time.monotonic() - begun >= AFTER - 1.0
        assert stalled(umbel) == [cut.hostname]
        row = rows(umbel)[cut.hostname]
        # its heartbeats go on: it is no lost worker
        assert row["status"] in ("online", "busy-silent")
        assert "in 'orders'" in row["stalled"]
        assert "it runs 0 of 1 tasks" in row["stalled"]
        assert rows(umbel)[idle.hostname]["stalled"] is rows(umbel)[busy.hostname]["stalled"] is None
        metrics = umbel.get("/metrics").text
        assert f'umbel_worker_stalled{{worker="{cut.hostname}"}} 1.0' in metrics
        assert f'umbel_worker_stalled{{worker="{busy.hostname}"}} 0.0' in metrics
        with app.connection_for_write() as connection:
            connection.default_channel.queue_purge("orders")
        wait_for(lambda: stalled(umbel) == [], WITHIN)
        for worker in (cut, busy):  # neither would end by itself
            worker.kill9()
