"""A broker or a management API in trouble: the page stays, says why, and no other page waits for it."""

import json
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.apps.queues import make_app
from tests.conftest import UmbelFactory
from tests.servers import RedisServer, UmbelServer, wait_for
from tests.servers.management import ManagementStub


@pytest.fixture
def stub() -> Iterator[ManagementStub]:
    with ManagementStub() as stub:
        yield stub


def send(url: str, count: int) -> None:
    app = make_app(url)
    for _ in range(count):
        app.send_task("tests.none", queue="celery")


def test_a_management_api_in_trouble_leaves_the_page_its_reason_and_amqps_figures(
    rabbitmq_url: str, stub: ManagementStub, umbel_server: UmbelFactory
) -> None:
    send(rabbitmq_url, 3)
    umbel = umbel_server(
        rabbitmq_url,
        arguments=[f"--broker_api={stub.url}"],
        environment={"FLOWER_UNAUTHENTICATED_API": "true"},
    )
    umbel.wait_until_collecting()
    for status, reason in {
        401: "refused the user",
        404: "nothing at its address",
        500: "answered 500",
    }.items():
        stub.status = status
        board = wait_for(partial(board_with, umbel, reason), 20.0)
        (queue,) = [queue for queue in board["items"] if queue["name"] == "celery"]
        assert (queue["messages"], queue["ready"], queue["unacked"]) == (3, 3, None)
        assert queue["columns"]["unacked"] == "unknown"
        assert umbel.get("/broker").status == 200
        assert umbel.get("/api/queues/length").json()["active_queues"][0]["messages"] == 3
    stub.status, stub.body = 200, json.dumps([{"name": "celery", "messages": 5}, {"name": 3}]).encode()
    board = wait_for(lambda: board_with(umbel, "did not tell every figure of celery"), 20.0)
    assert [queue["messages"] for queue in board["items"] if queue["name"] == "celery"] == [5]


def board_with(umbel: UmbelServer, reason: str) -> Any:
    """The list of queues, once its problems say so."""
    answer = umbel.get("/api/v1/queues")
    assert answer.status == 200
    board = answer.json()
    return board if any(reason in problem for problem in board["problems"]) else None


def test_no_page_waits_for_a_slow_management_api(
    rabbitmq_url: str, stub: ManagementStub, umbel_server: UmbelFactory
) -> None:
    stub.delay = 30.0
    umbel = umbel_server(
        rabbitmq_url,
        arguments=[f"--broker_api={stub.url}"],
        environment={"FLOWER_UNAUTHENTICATED_API": "true"},
    )
    umbel.wait_until_collecting()
    # more than there are threads for pages
    waiting = [
        threading.Thread(target=umbel.get, args=(path,), daemon=True)
        for path in ["/api/v1/queues", "/api/queues/length"] * 30
    ]
    for thread in waiting:
        thread.start()
    wait_for(lambda: stub.asked, 10.0)
    for path in ("/", "/broker", "/tasks", "/api/v1/tasks", "/api/v1/workers", "/metrics", "/healthcheck"):
        begun = time.monotonic()
        assert umbel.get(path).status == 200
        assert time.monotonic() - begun < 2.0, path
    for thread in waiting:
        thread.join(30.0)
        assert not thread.is_alive()


def test_a_redis_that_hangs_is_told_and_holds_nobody_up(umbel_server: UmbelFactory) -> None:
    with RedisServer() as server:
        send(server.url, 2)
        umbel = umbel_server(server.url)
        umbel.wait_until_collecting()
        wait_for(lambda: umbel.get("/api/v1/queues/celery").json()["ready"] == 2, 10.0)
        server.freeze()
        try:
            board = wait_for(lambda: board_with(umbel, "The broker's queues can't be read"), 20.0)
            assert [queue["ready"] for queue in board["items"]] == [None]
            assert board["items"][0]["columns"]["ready"] == "unknown"
            assert umbel.get("/broker").status == 200
            looked = umbel.get("/api/v1/queues/celery/messages")
            assert (looked.status, looked.headers["content-type"]) == (503, "application/problem+json")
            assert "can't be looked into" in looked.json()["detail"]
        finally:
            server.thaw()
        wait_for(lambda: umbel.get("/api/v1/queues/celery").json()["ready"] == 2, 30.0)
