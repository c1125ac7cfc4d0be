"""Figures of queues before, during and after consumption by real workers, stopped in mid-task to stand still."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.apps.queues import make_app
from tests.conftest import UmbelFactory, WorkerFactory
from tests.contract.broker_contract import BrokerShop
from tests.contract.test_broker_redis import ODD, make_unreachable
from tests.servers import CeleryWorker, RedisServer, UmbelServer, wait_for
from umbel.brokers.registry import make_inspector

#: One message of each priority.
PRIORITIES = range(10)


@contextmanager
def working(settings: dict[str, Any], *queues: str) -> Iterator[CeleryWorker]:
    """A worker with one process, whose app has these settings."""
    worker = CeleryWorker(
        settings["broker_url"],
        app="tests.apps.queues",
        arguments=["-Q", ",".join(queues)],
        environment={"TESTS_BROKER": json.dumps(settings)},
    )
    with worker:
        yield worker


def check_figures(settings: dict[str, Any], folder: Path) -> None:
    """Ten messages: all wait, one is worked on and nine wait, none is left."""
    app = make_app(**settings)
    shop = BrokerShop(app, make_inspector(app, None), make_unreachable)
    end = folder / "end"
    for priority in PRIORITIES:
        app.send_task("tests.wait_for_file", (str(end),), queue="orders", priority=priority)
    before = shop.figures("orders")
    assert (before.messages, before.ready, before.unacked) == (10, 10, 0)
    assert sum(before.priorities.values()) == 10
    with working(settings, "orders") as worker:
        shop.wait_for_figures("orders", unacked=1)
        worker.freeze()
        during = shop.figures("orders")
        assert (during.messages, during.ready, during.unacked) == (10, 9, 1)
        assert during.priorities[0] == before.priorities[0] - 1
        worker.thaw()
        end.touch()
        after = shop.wait_for_figures("orders", messages=0, ready=0, unacked=0)
        assert set(after.priorities.values()) == {0}


@pytest.mark.parametrize("options", [{}, ODD], ids=["plain", "odd"])
def test_redis(redis_url: str, tmp_path: Path, options: dict[str, Any]) -> None:
    check_figures({"broker_url": redis_url, "broker_transport_options": options}, tmp_path)


def with_tls(stack: ExitStack) -> dict[str, Any]:
    server = stack.enter_context(RedisServer(tls=True))
    return {
        "broker_url": f"rediss://127.0.0.1:{server.port}/0",
        "broker_use_ssl": {"ssl_ca_certs": str(server.ca_file), "ssl_cert_reqs": "required"},
    }


def with_a_user(stack: ExitStack) -> dict[str, Any]:
    server = stack.enter_context(RedisServer(password="top"))
    with server.client() as client:
        client.acl_setuser(
            "ann", enabled=True, passwords=["+p@ss"], keys=["*"], channels=["*"], categories=["+@all"]
        )
    return {"broker_url": f"redis://ann:p%40ss@127.0.0.1:{server.port}/0"}


@pytest.mark.parametrize("make", [with_tls, with_a_user])
def test_redis_of_its_own(make: Callable[[ExitStack], dict[str, Any]], tmp_path: Path) -> None:
    with ExitStack() as stack:
        check_figures(make(stack), tmp_path)


def test_rabbitmq(rabbitmq_url: str, rabbitmq_server: Any, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"broker_url": rabbitmq_url}
    app = make_app(**settings)
    shop = BrokerShop(app, make_inspector(app, rabbitmq_server.management_url), make_unreachable)
    end = tmp_path / "end"
    for _ in range(10):
        app.send_task("tests.wait_for_file", (str(end),), queue="orders")
    shop.wait_for_figures("orders", messages=10, ready=10, unacked=0, consumers=0)
    with working(settings, "orders") as worker:
        shop.wait_for_figures("orders", messages=10, ready=9, unacked=1, consumers=1)
        worker.freeze()
        shop.wait_for_figures("orders", messages=10, ready=9, unacked=1, consumers=1)
        worker.thaw()
        end.touch()
        shop.wait_for_figures("orders", messages=0, ready=0, unacked=0, consumers=1)


def told(umbel: UmbelServer, name: str) -> dict[str, Any]:
    """The queue as the API tells it; empty while it is not known."""
    answer = umbel.get(f"/api/v1/queues/{name}")
    return answer.json() if answer.status == 200 else {}


def pick(queue: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(queue.get(column) for column in ("messages", "ready", "unacked", "consumers"))


def test_the_server_tells_the_same_with_consumers_and_remembers_the_queue(
    redis_url: str, tmp_path: Path, umbel_server: UmbelFactory
) -> None:
    # a prefix without the letters of patterns, with which kombu's own events would not be heard
    options = {**ODD, "global_keyprefix": "shop-1:"}
    umbel = umbel_server(redis_url, arguments=[f"--broker_transport_options={json.dumps(options)}"])
    umbel.wait_until_collecting()
    settings: dict[str, Any] = {"broker_url": redis_url, "broker_transport_options": options}
    app = make_app(**settings)
    end = tmp_path / "end"

    def send(*priorities: int) -> None:
        for priority in priorities:
            app.send_task("tests.wait_for_file", (str(end),), queue="orders", priority=priority)

    send(*PRIORITIES)
    wait_for(lambda: pick(told(umbel, "orders")) == (10, 10, 0, 0), 40.0)
    with working(settings, "orders") as worker:
        wait_for(lambda: pick(told(umbel, "orders")) == (10, 9, 1, 1), 40.0)
        worker.freeze()
        wait_for(lambda: pick(told(umbel, "orders")) == (10, 9, 1, 1), 10.0)
        worker.thaw()
        end.touch()
        wait_for(lambda: pick(told(umbel, "orders")) == (0, 0, 0, 1), 20.0)
    wait_for(lambda: pick(told(umbel, "orders")) == (0, 0, 0, 0), 20.0)
    # nothing but the history knows of it now
    with app.connection_for_write() as connection, connection.channel() as channel:
        channel.client.flushdb()
    umbel.restart()
    wait_for(lambda: told(umbel, "orders").get("known_from") == ["history"], 20.0)
    send(0, 9)
    wait_for(lambda: told(umbel, "orders").get("ready") == 2, 20.0)


def remembered(umbel: UmbelServer) -> list[str]:
    """Queues in the history's file."""
    (file,) = umbel.folder.glob("state/**/history-????????????.sqlite3")
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as history:
        return [name for (name,) in history.execute("SELECT name FROM queues ORDER BY name")]


@pytest.mark.timeout(120)
def test_queues_are_remembered_though_nobody_looked(
    redis_url: str, umbel_server: UmbelFactory, celery_worker: WorkerFactory
) -> None:
    umbel = umbel_server(redis_url)
    umbel.wait_until_collecting()
    worker = celery_worker(redis_url, arguments=["-Q", "from-a-worker"])
    app = make_app(redis_url, task_send_sent_event=True)
    app.send_task("tests.none", queue="from-an-event")
    # a worker that was asked before it could answer is asked again after half a minute
    wait_for(
        lambda: remembered(umbel) == ["from-a-worker", "from-an-event"],
        50.0,
        message=lambda: str(remembered(umbel)),
    )
    worker.stop()
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    umbel.restart()
    app.send_task("tests.none", queue="from-a-worker")
    wait_for(lambda: told(umbel, "from-a-worker").get("ready") == 1, 20.0)
    assert told(umbel, "from-an-event")["known_from"] == ["history"]
