"""`/api/v1/queues` and what waits in a queue, over a real Redis and a told history."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from tests.apps.queues import make_app
from tests.integration.web_server import WebServer, make_deps, serving
from tests.servers import wait_for
from tests.unit.memory_reader import MemoryReader, make_task
from umbel.model.queue import KnownQueue


@pytest.fixture
def reader() -> MemoryReader:
    return MemoryReader()


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def server(reader: MemoryReader, app: Celery, tmp_path: Path) -> Iterator[WebServer]:
    with serving(make_deps(reader, tmp_path, app=app)) as server:
        yield server


def send(app: Celery, **options: Any) -> str:
    return str(app.send_task("shop.charge", (1,), {"password": "hunter2"}, queue="orders", **options).id)


def fetch_fresh(server: WebServer, path: str) -> Any:
    """The answer, from a reading made after the last one that was fetched here."""
    before = server.get(path).json()["time"]
    return wait_for(lambda: (got := server.get(path).json())["time"] > before and got, 20.0)


def test_a_queue_has_an_address_of_its_own(server: WebServer, app: Celery) -> None:
    send(app)
    (celery, orders) = fetch_fresh(server, "/api/v1/queues")["items"]
    assert (celery["name"], orders["name"]) == ("celery", "orders")
    alone = server.get("/api/v1/queues/orders").json()
    assert {key: alone[key] for key in orders} == orders
    assert (alone["messages"], alone["ready"], alone["unacked"]) == (1, 1, 0)
    assert alone["priorities"] == [{"priority": 0, "ready": 1}]


def test_every_column_is_marked(server: WebServer, app: Celery) -> None:
    listed = server.get("/api/v1/queues").json()
    assert listed["driver"] == "redis"
    assert set(listed["capabilities"].values()) == {True}
    (queue,) = listed["items"]
    assert queue["columns"]["ready"] == "known"
    # nobody has asked the workers yet
    assert (queue["consumers"], queue["columns"]["consumers"]) == (None, "unknown")


def test_an_unknown_queue_is_404_and_a_bad_parameter_400(server: WebServer) -> None:
    for path in ("/api/v1/queues/nope", "/api/v1/queues/nope/messages"):
        answer = server.get(path)
        assert (answer.status, answer.json()["detail"]) == (404, "Unknown queue 'nope'")
    for query, parameter in {
        "limit=0": "limit",
        "offset=x": "offset",
        "held=maybe": "held",
        "x=1": "x",
    }.items():
        answer = server.get(f"/api/v1/queues/celery/messages?{query}")
        assert (answer.status, answer.json()["parameter"]) == (400, parameter)


def test_messages_are_decoded_redacted_and_their_age_has_its_basis(
    server: WebServer, app: Celery, reader: MemoryReader
) -> None:
    first, second = send(app), send(app, countdown=3600)
    reader.tasks = [make_task(first, sent=1_000.0, finished=False)]
    path = "/api/v1/queues/orders/messages"
    told = server.get(path).json()
    assert (told["queue"], told["total"], told["reason"]) == ("orders", 2, None)
    one, two = told["items"]
    assert (one["position"], one["task_id"], one["task"], one["args"]) == (1, first, "shop.charge", "(1,)")
    assert one["kwargs"] == "{'password': '[redacted]'}"
    assert (one["age"] > 1e9, one["age_basis"]) == (True, "sent")
    assert (two["position"], two["task_id"], two["age"], two["age_basis"]) == (2, second, None, None)
    assert two["eta"] is not None
    later = server.get(path).json()["items"][1]
    assert (later["age"] > 0, later["age_basis"]) == (True, "first-seen")


def test_the_oldest_message_is_told_in_the_list(server: WebServer, app: Celery, reader: MemoryReader) -> None:
    first, _ = send(app), send(app)
    orders = server.get("/api/v1/queues/orders").json()
    assert (orders["oldest_task"], orders["columns"]["oldest"]) == (None, "unknown")
    orders = fetch_fresh(server, "/api/v1/queues/orders")
    assert (orders["oldest_task"], orders["oldest_basis"]) == (first, "first-seen")
    assert orders["oldest_age"] > 0


def test_a_page_of_messages_goes_on_where_the_last_one_ended(server: WebServer, app: Celery) -> None:
    ids = [send(app) for _ in range(5)]
    path = "/api/v1/queues/orders/messages?limit=2&offset="
    pages = [[item["task_id"] for item in server.get(f"{path}{at}").json()["items"]] for at in (0, 2, 4, 6)]
    assert pages == [ids[:2], ids[2:4], ids[4:], []]


def test_a_name_may_hold_anything(server: WebServer, app: Celery) -> None:
    name = "a/b c?ü"
    app.send_task("shop.charge", queue=name)
    address = "/api/v1/queues/a%2Fb%20c%3F%C3%BC"
    assert server.get(address).json()["name"] == name
    assert server.get(f"{address}/messages").json()["total"] == 1


def test_a_remembered_queue_is_told_without_workers(server: WebServer, reader: MemoryReader) -> None:
    reader.queues = [KnownQueue("quiet", 1.0, 2.0)]
    quiet = server.get("/api/v1/queues/quiet").json()
    assert (quiet["messages"], quiet["known_from"]) == (0, ["history"])


def test_a_login_is_asked_for(reader: MemoryReader, app: Celery, tmp_path: Path) -> None:
    with serving(make_deps(reader, tmp_path, app=app, basic_auth=("ann:pw",))) as server:
        for path in ("/api/v1/queues", "/api/v1/queues/celery", "/api/v1/queues/celery/messages"):
            assert server.get(path).status == 401
            assert server.get(path, auth=("ann", "pw")).status == 200


def test_a_broker_that_can_not_be_read_is_no_error(reader: MemoryReader, tmp_path: Path) -> None:
    app = make_app(f"sqla+sqlite:///{tmp_path}/broker.sqlite3")
    with serving(make_deps(reader, tmp_path, app=app)) as server:
        listed = server.get("/api/v1/queues").json()
        assert "type sql" in listed["problems"][0]
        assert listed["items"][0]["columns"]["ready"] == "unsupported"
        looked = server.get("/api/v1/queues/celery/messages").json()
        assert (looked["items"], looked["total"]) == ([], None)
        assert looked["reason"]
