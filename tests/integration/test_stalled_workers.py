"""A real worker whose connection hangs is called stalled in time, everywhere where it is told."""

import time
from typing import Any

import pytest

from tests.acceptance.spawn import run_module
from tests.apps.tasks import make_app
from tests.conftest import UmbelFactory, WorkerFactory
from tests.servers import UmbelServer, wait_for
from tests.servers.relay import Relay

#: Seconds within which a worker has to be called stalled here.
AFTER = 6.0


def stalled(umbel: UmbelServer) -> list[str]:
    """Who is called stalled by the finding."""
    found = [f for f in umbel.get("/api/v1/findings").json()["items"] if f["code"] == "worker-stalled"]
    return found[0]["workers"] if found else []


def rows(umbel: UmbelServer) -> dict[str, Any]:
    return {row["hostname"]: row for row in umbel.get("/api/v1/workers").json()["items"]}


# 15 s: two workers start, and a time passes in which nothing may happen
@pytest.mark.timeout(120)
def test_a_worker_whose_connection_hangs_is_told_everywhere(
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
        app = make_app(redis_url)
        app.send_task("tests.add", (1, 1), queue="orders")
        wait_for(lambda: {cut.hostname, idle.hostname} <= rows(umbel).keys(), 45.0)
        wait_for(lambda: rows(umbel)[cut.hostname]["started"] == 1, 45.0)
        # it has said from which queue it consumes; a worker that missed the question is asked again after 30 s
        wait_for(lambda: "worker" in umbel.get("/api/v1/queues/orders").json().get("known_from", ()), 45.0)
        wait_for(lambda: relay.hang(lambda pair: b"BRPOP" in pair.asked), 10.0)
        begun = time.monotonic()
        for _ in range(3):
            app.send_task("tests.add", (1, 1), queue="orders")
        wait_for(lambda: rows(umbel)[cut.hostname]["stalled"], AFTER + 10.0)
        # `make prove` holds it to AFTER; here other tests share the machine
        assert AFTER / 2 <= time.monotonic() - begun <= AFTER + 5.0
        assert stalled(umbel) == [cut.hostname]
        row = rows(umbel)[cut.hostname]
        # its heartbeats go on: it is no lost worker
        assert row["status"] in ("online", "busy-silent")
        assert "in 'orders'" in row["stalled"]
        assert "it runs 0 of 1 tasks" in row["stalled"]
        assert rows(umbel)[idle.hostname]["stalled"] is None
        metrics = umbel.get("/metrics").text
        assert f'umbel_worker_stalled{{worker="{cut.hostname}"}} 1.0' in metrics
        assert f'umbel_worker_stalled{{worker="{idle.hostname}"}} 0.0' in metrics
        doctor = run_module(
            "umbel", "doctor", "--broker", redis_url, folder=umbel.folder, environment=umbel.environment()
        )
        assert "[worker-stalled]" in doctor.stdout and cut.hostname in doctor.stdout, doctor.stderr
        assert doctor.returncode == 1
        with app.connection_for_write() as connection:
            connection.default_channel.queue_purge("orders")
        wait_for(lambda: stalled(umbel) == [], 20.0)
        cut.kill9()  # it would not end by itself
