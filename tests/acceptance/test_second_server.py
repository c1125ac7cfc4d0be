"""A second server on one history serves from it, and takes over when the first one ends."""

from pathlib import Path

import pytest

from tests.apps.tasks import make_app
from tests.conftest import UmbelFactory, WorkerFactory
from tests.servers import RedisServer, UmbelServer, wait_for


def totals(server: UmbelServer) -> int:
    """How many tasks it lists."""
    value: int = server.get("/api/v1/facets").json()["total"]
    return value


def gap_ends(server: UmbelServer) -> bool:
    """It lists gaps, and all of them are over."""
    gaps = server.get("/api/v1/gaps").json()["items"]
    return bool(gaps) and all(gap["end"] is not None for gap in gaps)


def codes(server: UmbelServer) -> set[str]:
    """What it finds to be wrong."""
    return {finding["code"] for finding in server.get("/api/v1/findings").json()["items"]}


@pytest.mark.timeout(180)
def test_a_second_server_serves_the_same_and_takes_over(
    redis_url: str, celery_worker: WorkerFactory, umbel_server: UmbelFactory, tmp_path: Path
) -> None:
    arguments = [f"--db={tmp_path / 'history.sqlite3'}"]
    first = umbel_server(redis_url, arguments=arguments)
    first.wait_until_collecting(60)
    second = umbel_server(redis_url, arguments=arguments)
    second.wait_until_collecting(60)
    celery_worker(redis_url)
    app = make_app(redis_url)
    app.send_task("tests.add", (1, 2))
    wait_for(lambda: totals(first) == 1 and totals(second) == 1, 30)
    assert second.get("/api/v1/status").json()["state"] == "connected"
    assert "two-monitors" in codes(second) - codes(first)
    first.kill9()
    collector = second.get("/api/v1/status").json()
    # the gap ends with the new collector's own proof of life; readiness alone may be the dead one's last word
    wait_for(lambda: gap_ends(second), 60, message=f"no take-over: {collector}")
    second.wait_until_collecting(60)
    app.send_task("tests.add", (3, 4))
    wait_for(lambda: totals(second) == 2, 30)
    assert "two-monitors" not in codes(second)


@pytest.mark.timeout(120)
def test_a_history_that_another_brokers_server_writes_is_refused(
    redis_url: str, umbel_server: UmbelFactory, tmp_path: Path
) -> None:
    arguments = [f"--db={tmp_path / 'history.sqlite3'}"]
    umbel_server(redis_url, arguments=arguments).wait_until_collecting(60)
    with RedisServer() as other:
        stranger = UmbelServer(other.url, arguments=arguments)
        stranger.launch()
        try:
            assert stranger.wait(60) == 1
            assert "give each broker a history of its own" in stranger.log()
        finally:
            stranger.close()
