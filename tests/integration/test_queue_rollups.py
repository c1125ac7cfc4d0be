"""Figures of queues over time, from a real broker through sampler, collector and history to the API."""

from typing import Any

import pytest

from tests.apps.queues import make_app
from tests.conftest import UmbelFactory
from tests.servers import UmbelServer, wait_for


def told(umbel: UmbelServer, query: str) -> list[dict[str, Any]]:
    answer = umbel.get(f"/api/v1/queue-rollups?{query}")
    assert answer.status == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.mark.timeout(120)
def test_lengths_are_kept_while_nobody_looks_and_survive_a_restart(
    redis_url: str, umbel_server: UmbelFactory
) -> None:
    app = make_app(redis_url)
    for _ in range(3):
        app.send_task("shop.charge", queue="orders")
    umbel = umbel_server(redis_url)
    umbel.wait_until_collecting()
    wait_for(lambda: told(umbel, "queue=orders"), 60.0)
    (bucket, *_) = told(umbel, "queue=orders")
    assert bucket["messages"] == {"last": 3.0, "min": 3.0, "max": 3.0, "mean": 3.0}
    assert bucket["start"] % 60 == 0
    assert {row["queue"] for row in told(umbel, "")} == {"celery", "orders"}
    assert {row["queue"] for row in told(umbel, "largest=1")} == {"orders"}
    by_day = f"queue=orders&span=86400&start={bucket['start'] - 86400}"
    assert told(umbel, by_day)[0]["messages"]["max"] == 3.0
    umbel.restart()
    umbel.wait_until_collecting()
    assert told(umbel, by_day)[0]["messages"]["min"] == 3.0
