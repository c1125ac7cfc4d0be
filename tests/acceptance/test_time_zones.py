"""A worker, the monitor and whoever asks may live in different zones: all see the same times."""

import time

import pytest

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
@pytest.mark.parametrize("utc", ["1", "0"], ids=["enable_utc", "local"])
def test_the_same_times_in_every_zone(
    redis_url: str, celery_worker: WorkerFactory, umbel_server: UmbelFactory, utc: str
) -> None:
    monitors = [
        umbel_server(
            redis_url, environment={"TZ": zone, "FLOWER_UNAUTHENTICATED_API": "1"}, arguments=[option]
        )
        for zone, option in (("America/New_York", "--timezone=UTC"), ("UTC", "--timezone=Asia/Tokyo"))
    ]
    for monitor in monitors:
        monitor.wait_until_collecting(60)
    celery_worker(redis_url, environment={"TZ": "Asia/Shanghai", "TESTS_ENABLE_UTC": utc})
    before = time.time()
    uuid = make_app(redis_url).send_task("tests.add", (1, 2)).id
    first, second = (told(monitor, uuid) for monitor in monitors)
    after = time.time()
    for name in TIMES:
        assert before - 1 <= first[name] <= after + 1
        assert first[name] == second[name]
    detail = monitors[0].get(f"/api/v1/tasks/{uuid}").json()
    listed = monitors[1].get("/api/v1/tasks").json()["items"][0]
    for name in TIMES:
        assert detail[name] == listed[name] == first[name]
    assert [monitor.get("/api/v1/settings").json()["timezone"] for monitor in monitors] == [
        "UTC",
        "Asia/Tokyo",
    ]
