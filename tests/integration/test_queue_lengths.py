"""Queue lengths from real brokers: priorities, separators, prefixes, users, TLS, sockets, Sentinel, RabbitMQ."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery
from kombu import Connection

from tests.servers import RabbitServer, RedisServer, free_port, wait_for
from tests.servers.process import Server
from umbel.brokers.base import BrokerInspector
from umbel.brokers.registry import make_inspector
from umbel.errors import BrokerUnavailable


def make_app(url: str, **settings: object) -> Celery:
    app = Celery("queues", broker=url, set_as_current=False)
    app.conf.update(settings)
    return app


def inspector_of(app: Celery, broker_api: str | None = None) -> BrokerInspector:
    return make_inspector(app, broker_api)


def send(app: Celery, queue: str, *priorities: int) -> None:
    """Send one message for each priority."""
    with app.connection_for_write() as connection:
        for priority in priorities:
            app.send_task("tests.none", queue=queue, priority=priority, connection=connection)


def lengths(inspector: BrokerInspector, *names: str) -> dict[str, int]:
    return {queue.name: queue.messages or 0 for queue in inspector.fetch_queues(names).queues}


def test_a_queue_is_the_sum_of_its_priorities(redis_url: str) -> None:
    app = make_app(redis_url)
    send(app, "orders", 0, 3, 5, 9)
    send(app, "mails", 0)
    assert lengths(inspector_of(app), "orders", "mails", "none") == {"mails": 1, "none": 0, "orders": 4}


def test_steps_separator_and_prefix_are_those_of_the_workers(redis_url: str) -> None:
    options = {"priority_steps": [0, 5], "sep": ":", "global_keyprefix": "shop-"}
    app = make_app(redis_url, broker_transport_options=options)
    send(app, "orders", 0, 7)
    with redis.Redis.from_url(redis_url) as client:
        assert {key.decode() for key in client.keys("shop-orders*")} == {"shop-orders", "shop-orders:5"}
    assert lengths(inspector_of(app), "orders") == {"orders": 2}


def test_a_key_of_another_type_counts_nothing(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set("orders", "text")
    app = make_app(redis_url)
    send(app, "mails", 0)
    assert lengths(inspector_of(app), "orders", "mails") == {"orders": 0, "mails": 1}


def test_users_of_an_access_list_are_understood(tmp_path: Path) -> None:
    with RedisServer(password="top") as server:
        with server.client() as client:
            client.acl_setuser("ann", enabled=True, passwords=["+p@ss"], keys=["*"], categories=["+@all"])
        app = make_app(f"redis://ann:p%40ss@127.0.0.1:{server.port}/0")
        send(app, "orders", 0)
        assert lengths(inspector_of(app), "orders") == {"orders": 1}
        wrong = make_app(f"redis://ann:wrong@127.0.0.1:{server.port}/0")
        with pytest.raises(BrokerUnavailable):
            inspector_of(wrong).fetch_queues(["orders"])


def test_tls_and_unix_sockets_are_understood() -> None:
    with RedisServer(tls=True) as server:
        app = make_app(
            f"rediss://127.0.0.1:{server.port}/0",
            broker_use_ssl={"ssl_ca_certs": str(server.ca_file), "ssl_cert_reqs": "required"},
        )
        send(app, "orders", 0)
        assert lengths(inspector_of(app), "orders") == {"orders": 1}
    with RedisServer(unixsocket=True) as server:
        app = make_app(server.url)
        send(app, "orders", 0)
        assert lengths(inspector_of(app), "orders") == {"orders": 1}


class Sentinel(Server):
    """A Sentinel that watches one Redis under the name `shop`."""

    name = "sentinel"

    def __init__(self, watched: RedisServer) -> None:
        super().__init__()
        self.port = free_port()
        config = f"port {self.port}\ndir {self.folder}\nsentinel monitor shop 127.0.0.1 {watched.port} 1\n"
        (self.folder / "sentinel.conf").write_text(config)
        self.program = watched.program

    def command(self) -> list[str]:
        return [str(self.program), str(self.folder / "sentinel.conf"), "--sentinel"]

    def is_ready(self) -> bool:
        try:
            with redis.Redis(port=self.port) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False


def test_sentinel_leads_to_the_master() -> None:
    with RedisServer() as server, Sentinel(server) as sentinel:
        app = make_app(
            f"sentinel://127.0.0.1:1;sentinel://127.0.0.1:{sentinel.port}",
            broker_transport_options={"master_name": "shop"},
        )
        send(app, "orders", 0, 3)
        assert lengths(inspector_of(app), "orders") == {"orders": 2}


def test_a_redis_that_is_gone_is_unavailable_within_seconds() -> None:
    with pytest.raises(BrokerUnavailable):
        inspector_of(make_app(f"redis://127.0.0.1:{free_port()}/0")).fetch_queues(["orders"])


@pytest.fixture
def queues_of(rabbitmq_url: str) -> Iterator[str]:
    with Connection(rabbitmq_url) as connection:
        for name in ("orders", "mails"):
            connection.SimpleQueue(name).put({"n": 1})
        yield rabbitmq_url


@pytest.mark.parametrize("ending", ["/api/", "/api"])
def test_rabbitmq_tells_everything_of_this_virtual_host_only(
    rabbitmq_server: RabbitServer, queues_of: str, ending: str
) -> None:
    base = rabbitmq_server.management_url.rstrip("/").removesuffix("/api")
    inspector = inspector_of(make_app(queues_of), base + ending)
    wait_for(lambda: lengths(inspector, "orders") == {"orders": 1}, 20.0)

    def figures() -> tuple[int | None, int | None, int | None]:
        absent, found = inspector.fetch_queues(["orders", "absent"]).queues
        assert absent.exists is False
        return found.ready, found.unacked, found.consumers

    # the API tells a new queue's figures one after the other
    wait_for(lambda: figures() == (1, 0, 0), 20.0)
    (queue,) = inspector.fetch_lengths(["orders", "absent"])
    assert queue["vhost"] == queues_of.rpartition("/")[2]
    assert inspector.capabilities.unacked


def test_a_management_api_that_is_not_there_is_unavailable(queues_of: str) -> None:
    inspector = inspector_of(make_app(queues_of), f"http://127.0.0.1:{free_port()}/api/")
    with pytest.raises(BrokerUnavailable, match="management API"):
        inspector.fetch_names()


def test_a_wrong_management_password_is_unavailable_and_not_told(
    rabbitmq_server: RabbitServer, queues_of: str
) -> None:
    host = rabbitmq_server.management_url.split("://")[1].rpartition("@")[2]
    inspector = inspector_of(make_app(queues_of), f"http://eve:hunter2@{host}")
    reading = inspector.fetch_queues(["orders"])
    assert "refused" in reading.problems[0]
    assert "hunter2" not in reading.problems[0]


def test_other_brokers_tell_what_they_can() -> None:
    app = make_app("memory://")
    send(app, "orders", 0, 0)
    assert lengths(inspector_of(app), "orders") == {"orders": 2}
