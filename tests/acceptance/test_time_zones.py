"""A worker, the monitor and whoever asks may live in different zones: all see the same times."""

import time

import pytest
from celery import Celery

from tests.apps.tasks import make_app
from tests.conftest import UmbelFactory, WorkerFactory
from tests.servers import UmbelServer, wait_for

TIMES = ("received", "started", "succeeded")


def told(server: UmbelServer, uuid: str) -> dict[str, float]:
    """What Flower's API says of the task once it has succeeded."""

    def look() -> dict[str, float]:
        answer = server.get(f"/api/task/info/{uuid}")
        return answer.json() if answer.status == 200 and answer.json()["state"] == "SUCCESS" else {}

    return wait_for(look, 20)


@pytest.mark.timeout(150)
def test_the_same_times_in_every_zone(
    redis_url: str, celery_worker: WorkerFactory, umbel_server: UmbelFactory
) -> None:
    monitors = [
        umbel_server(
            redis_url, environment={"TZ": zone, "FLOWER_UNAUTHENTICATED_API": "1"}, arguments=[option]
        )
        for zone, option in (("America/New_York", "--timezone=UTC"), ("UTC", "--timezone=Asia/Tokyo"))
    ]
    for monitor in monitors:
        monitor.wait_until_collecting(60)
    for utc in ("1", "0"):  # Celery's enable_utc
        environment = {"TZ": "Asia/Shanghai", "TESTS_ENABLE_UTC": utc}
        celery_worker(redis_url, environment=environment, arguments=["-Q", f"utc-{utc}"])
        assert_same_times(make_app(redis_url), f"utc-{utc}", monitors)
    assert [monitor.get("/api/v1/settings").json()["timezone"] for monitor in monitors] == [
        "UTC",
        "Asia/Tokyo",
    ]


def assert_same_times(app: Celery, queue: str, monitors: list[UmbelServer]) -> None:
    """Send a task there: what all monitors say of it is when it really was, the same in every answer."""
    before = time.time()
    uuid = app.send_task("tests.add", (1, 2), queue=queue).id
    first, second = (told(monitor, uuid) for monitor in monitors)
    after = time.time()
    detail = monitors[0].get(f"/api/v1/tasks/{uuid}").json()
    listed = monitors[1].get("/api/v1/tasks").json()["items"][0]
    for name in TIMES:
        assert before - 1 <= first[name] <= after + 1, (queue, name)
        assert first[name] == second[name] == detail[name] == listed[name], (queue, name)
