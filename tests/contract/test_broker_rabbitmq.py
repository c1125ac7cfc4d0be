"""The contract of a broker inspector on RabbitMQ: with its management API, and without."""

import base64
import json
import re
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from kombu import Queue

from tests.apps.queues import make_app
from tests.contract.broker_contract import BrokerContract, BrokerShop
from tests.servers import RabbitServer, free_port, wait_for
from tests.servers.management import ManagementStub
from umbel.brokers.base import QueueFigures
from umbel.brokers.management import TIMEOUT, ApiTls
from umbel.brokers.names import DELAYED, fold_delayed
from umbel.brokers.rabbitmq import RabbitInspector, moment_of
from umbel.brokers.registry import make_inspector
from umbel.errors import BrokerUnavailable, NoSuchQueue


def make_unreachable() -> RabbitInspector:
    port = free_port()
    app = make_app(f"amqp://guest:guest@127.0.0.1:{port}//")
    return RabbitInspector(app, f"http://127.0.0.1:{port}/api/", ApiTls())


class TestRabbitMQ(BrokerContract):
    """Figures, names, marks, failures, looking and purging."""

    @pytest.fixture
    def shop(self, rabbitmq_url: str, rabbitmq_server: RabbitServer) -> BrokerShop:
        app = make_app(rabbitmq_url)
        return BrokerShop(app, make_inspector(app, rabbitmq_server.management_url), make_unreachable)

    def test_every_column_is_marked_as_this_kind_of_broker_says(self, shop: BrokerShop) -> None:
        shop.send("orders")
        # RabbitMQ tells idle_since of queues at rest only
        wait_for(lambda: shop.figures("orders").idle_since is not None, 30.0)
        super().test_every_column_is_marked_as_this_kind_of_broker_says(shop)

    def test_other_virtual_hosts_are_not_told(self, shop: BrokerShop, rabbitmq_server: RabbitServer) -> None:
        shop.send("orders")
        other = make_app(rabbitmq_server.url)
        assert make_inspector(other, rabbitmq_server.management_url).fetch_queues(["orders"]).queues == [
            QueueFigures(name="orders", exists=False, messages=0, ready=0, unacked=0, consumers=0)
        ]

    def test_quorum_queues_are_counted(self, shop: BrokerShop) -> None:
        shop.app.conf.task_queues = [Queue("ledger", queue_arguments={"x-queue-type": "quorum"})]
        # unconfirmed, the first one may be lost: the queue has no leader yet
        shop.app.conf.broker_transport_options = {"confirm_publish": True}
        shop.send("ledger", 3)
        shop.wait_for_figures("ledger", messages=3, ready=3, unacked=0, consumers=0)

    def test_queues_that_hold_back_tasks_are_one(self, shop: BrokerShop) -> None:
        with shop.app.connection_for_write() as connection, connection.channel() as channel:
            for level in range(28):
                Queue(f"celery_delayed_{level}", routing_key=f"x{level}")(channel).declare()
            producer = connection.Producer(channel)
            for level in (0, 4, 27):
                producer.publish({}, exchange="", routing_key=f"celery_delayed_{level}")
        wait_for(lambda: len(shop.inspector.fetch_names()) == 28, 20.0)

        def folded() -> list[QueueFigures]:
            return fold_delayed(shop.inspector.fetch_queues(shop.inspector.fetch_names()).queues)

        wait_for(lambda: folded()[0].messages == 3, 20.0)
        (queue,) = folded()
        assert queue.name == DELAYED
        assert len(queue.folded) == 28


class TestWithoutManagement(BrokerContract):
    """The same broker, its management API not there: messages and consumers come over AMQP."""

    @pytest.fixture
    def shop(self, rabbitmq_url: str) -> BrokerShop:
        app = make_app(rabbitmq_url)
        inspector = RabbitInspector(app, f"http://127.0.0.1:{free_port()}/api/", ApiTls())
        return BrokerShop(app, inspector, make_unreachable)

    def test_every_column_is_marked_as_this_kind_of_broker_says(self, shop: BrokerShop) -> None:
        shop.send("orders", 2)
        found = shop.wait_for_figures("orders", messages=2, ready=2, unacked=None, consumers=0)
        assert found.exists is True
        (problem,) = shop.inspector.fetch_queues(["orders"]).problems
        assert "can't be reached" in problem
        assert "over AMQP" in problem

    def test_what_a_consumer_holds_is_unacknowledged(self, shop: BrokerShop) -> None:
        shop.send("orders", 5)
        with shop.holding("orders", 2):
            shop.wait_for_figures("orders", ready=3, unacked=None, consumers=1)

    def test_names_are_those_of_tasks(self, shop: BrokerShop) -> None:
        with pytest.raises(BrokerUnavailable):
            shop.inspector.fetch_names()

    def test_a_purge_tells_how_many_it_took_and_leaves_what_is_held(self, shop: BrokerShop) -> None:
        shop.send("orders", 4)
        with shop.holding("orders", 1):
            assert shop.inspector.purge("orders") == 3
        shop.wait_for_figures("orders", ready=1)

    def test_a_queue_that_is_not_there_can_not_be_purged(self, shop: BrokerShop) -> None:
        with pytest.raises(NoSuchQueue, match="absent"):
            shop.inspector.purge("absent")


ONE_QUEUE = {
    "name": "orders",
    "messages": 2,
    "messages_ready": 1,
    "messages_unacknowledged": 1,
    "consumers": 1,
}


@pytest.fixture
def stub() -> Iterator[ManagementStub]:
    with ManagementStub() as stub:
        yield stub


Inspect = Callable[..., RabbitInspector]


@pytest.fixture
def inspect(rabbitmq_url: str) -> Inspect:
    """Makes an inspector of a broker that has `orders` with three messages."""
    app = make_app(rabbitmq_url)
    BrokerShop(app, RabbitInspector(app, None, ApiTls()), make_unreachable).send("orders", 3)
    return lambda url, tls=None: RabbitInspector(app, url, tls or ApiTls())


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, b'{"error": "not_authorised"}', r"refused the user and password \(401\)"),
        (404, b'{"error": "Object Not Found"}', r"nothing at its address \(404\)"),
        (500, b"Internal Server Error", "answered 500"),
        (502, b"<html>Bad gateway</html>", "answered 502"),
        (200, b"<html>Log in</html>", "no valid JSON"),
        (200, b'[{"name": "orders", "mess', "no valid JSON"),
        (200, b'{"queues": []}', "something else than queues"),
        (200, b"[" * 100_000, "no valid JSON"),
    ],
)
def test_an_answer_that_is_none_leads_to_amqp(
    stub: ManagementStub, inspect: Inspect, status: int, body: bytes, reason: str
) -> None:
    stub.status, stub.body = status, body
    reading = inspect(stub.url).fetch_queues(["orders", "absent"])
    absent, orders = reading.queues
    assert (orders.messages, orders.ready, orders.consumers, orders.unacked) == (3, 3, 0, None)
    assert (absent.exists, absent.messages) == (False, 0)
    (problem,) = reading.problems
    assert re.search(reason, problem)


def test_a_partial_answer_is_told_as_far_as_it_goes(stub: ManagementStub, inspect: Inspect) -> None:
    partial = [
        {"name": "orders", "messages_ready": 1, "state": "down"},
        {"messages": 7},
        "no queue",
        {"name": "mails", "messages": "many", "consumers": None, "idle_since": "never"},
        {**ONE_QUEUE, "name": "reports"},
    ]
    stub.body = json.dumps(partial).encode()
    reading = inspect(stub.url).fetch_queues(["orders", "mails", "reports"])
    mails, orders, reports = reading.queues
    assert mails == QueueFigures(name="mails", exists=True)
    assert orders == QueueFigures(name="orders", exists=True, ready=1)
    assert (reports.messages, reports.ready, reports.unacked, reports.consumers) == (2, 1, 1, 1)
    assert "mails, orders" in reading.problems[0]


@pytest.mark.parametrize("way", ["delay", "drip"])
def test_a_slow_answer_is_given_up_and_then_left_alone(
    stub: ManagementStub, inspect: Inspect, way: str
) -> None:
    setattr(stub, way, 60.0 if way == "delay" else 0.2)
    stub.body = json.dumps([ONE_QUEUE] * 100).encode()
    inspector = inspect(stub.url)
    begun = time.monotonic()
    first = inspector.fetch_queues(["orders"])
    assert time.monotonic() - begun < TIMEOUT + 3
    assert "no whole answer" in first.problems[0]
    assert first.queues[0].ready == 3
    begun = time.monotonic()
    assert inspector.fetch_queues(["orders"]).queues[0].ready == 3
    assert time.monotonic() - begun < 1.5
    assert len(stub.asked) == 1


def test_virtual_host_and_credentials_are_encoded(stub: ManagementStub) -> None:
    app = make_app("amqp://ann:p%40ss%2Fword@127.0.0.1/shop%2Feast")
    stub.body = json.dumps([ONE_QUEUE]).encode()
    port = stub.port
    RabbitInspector(app, f"http://127.0.0.1:{port}/api", ApiTls()).fetch_names()
    RabbitInspector(app, f"http://eve:a%3Ab%40c@127.0.0.1:{port}/api/", ApiTls()).fetch_names()
    RabbitInspector(make_app("amqp://127.0.0.1//"), stub.url, ApiTls()).fetch_names()
    paths = [path.partition("?")[0] for path, _ in stub.asked]
    assert paths == ["/api/queues/shop%2Feast", "/api/queues/shop%2Feast", "/api/queues/%2F"]
    users = [base64.b64decode(token.removeprefix("Basic ")).decode() for _, token in stub.asked]
    assert users == ["ann:p@ss/word", "eve:a:b@c", "guest:guest"]


class TestHttps:
    """The management API over TLS: private authority, client certificate, self-signed."""

    @pytest.fixture
    def authority(self, tmp_path: Path) -> trustme.CA:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        client = authority.issue_cert("umbel")
        client.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "client.pem"))
        return authority

    @pytest.fixture
    def secure(self, request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[ManagementStub]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        if getattr(request, "param", None) == "asks for a certificate":
            context.verify_mode = ssl.CERT_REQUIRED
            authority.configure_trust(context)
        with ManagementStub(tls=context) as stub:
            stub.body = json.dumps([ONE_QUEUE]).encode()
            yield stub

    def ask(self, stub: ManagementStub, broker_use_ssl: Any = None, **tls: Any) -> set[str]:
        app = make_app("amqp://127.0.0.1//")
        app.conf.broker_use_ssl = broker_use_ssl
        return RabbitInspector(app, stub.url, ApiTls(**tls)).fetch_names()

    def test_a_private_authority_is_trusted_when_named(self, secure: ManagementStub, tmp_path: Path) -> None:
        assert self.ask(secure, ca_certs=str(tmp_path / "ca.pem")) == {"orders"}
        assert self.ask(secure, {"ca_certs": str(tmp_path / "ca.pem")}) == {"orders"}

    def test_a_certificate_that_is_not_trusted_is_told(self, secure: ManagementStub) -> None:
        with pytest.raises(BrokerUnavailable, match="not trusted .*set broker_api_ca_certs"):
            self.ask(secure)

    def test_checking_can_be_turned_off(self, secure: ManagementStub) -> None:
        assert self.ask(secure, verify=False) == {"orders"}
        assert self.ask(secure, {"cert_reqs": ssl.CERT_NONE}) == {"orders"}
        with pytest.raises(BrokerUnavailable, match="not trusted"):
            self.ask(secure, {"cert_reqs": ssl.CERT_NONE}, verify=True)

    @pytest.mark.parametrize("secure", ["asks for a certificate"], indirect=True)
    def test_a_client_certificate_is_shown(self, secure: ManagementStub, tmp_path: Path) -> None:
        authority = str(tmp_path / "ca.pem")
        assert self.ask(secure, ca_certs=authority, certfile=str(tmp_path / "client.pem")) == {"orders"}
        with pytest.raises(BrokerUnavailable, match="management API can't be reached"):
            self.ask(secure, ca_certs=authority)

    def test_a_certificate_file_that_is_none_is_told(self, secure: ManagementStub, tmp_path: Path) -> None:
        (tmp_path / "none.pem").write_text("no certificate")
        with pytest.raises(BrokerUnavailable, match="certificate files"):
            self.ask(secure, ca_certs=str(tmp_path / "none.pem"))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-26T01:00:00.000+00:00", 1795654800.0),
        ("2026-11-26T02:00:00+01:00", 1795654800.0),
        ("2026-11-26 1:00:00", 1795654800.0),
        ("never", None),
        (None, None),
    ],
)
def test_idle_since_is_read_in_every_version_of_rabbitmq(text: str | None, moment: float | None) -> None:
    assert moment_of(text) == moment
