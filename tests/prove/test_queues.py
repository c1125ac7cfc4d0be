"""Queues where it takes long to show: a failover of Redis, ten thousand queues, a RabbitMQ that hangs."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import redis
import trustme

from tests.apps.queues import make_app
from tests.conftest import PROMPT_FIGURES, UmbelFactory
from tests.contract.broker_contract import BrokerShop
from tests.contract.test_broker_rabbitmq import make_unreachable
from tests.integration.test_queue_figures import working
from tests.prove.figures import table
from tests.servers import RabbitServer, free_port, wait_for
from tests.servers.sentinel import MASTER, SentinelCluster
from umbel.brokers.management import ApiTls
from umbel.brokers.rabbitmq import RabbitInspector
from umbel.brokers.registry import make_inspector
from umbel.errors import BrokerUnavailable

pytestmark = pytest.mark.prove


def test_a_failover_of_redis_is_over_within_30_seconds(tmp_path: Path, umbel_server: UmbelFactory) -> None:
    with SentinelCluster() as cluster:
        options = {"master_name": MASTER}
        settings: dict[str, Any] = {"broker_url": cluster.url, "broker_transport_options": options}
        app = make_app(**settings)
        umbel = umbel_server(cluster.url, arguments=[f"--broker_transport_options={json.dumps(options)}"])
        umbel.wait_until_collecting(60.0)
        for _ in range(5):
            app.send_task("tests.wait_for_file", (str(tmp_path / "end"),), queue="orders")

        def figures() -> tuple[object, ...]:
            answer = umbel.get("/api/v1/queues/orders").json()
            return tuple(answer.get(column) for column in ("messages", "ready", "unacked"))

        with working(settings, "orders") as worker:
            wait_for(lambda: figures() == (5, 4, 1), 30.0)
            worker.freeze()
            with cluster.replica.client() as replica:
                wait_for(lambda: replica.llen("orders") == 4, 10.0)
            cluster.master.kill9()
            begun, killed_at = time.monotonic(), time.time()
            wait_for(lambda: figures() == (None, None, None), 10.0)
            wait_for(lambda: figures() == (5, 4, 1), 30.0)
            figures_after = time.monotonic() - begun
            wait_for(lambda: (umbel.get("/api/v1/status").json()["last_proof"] or 0) > killed_at, 30.0)
            events_after = time.monotonic() - begun
            worker.kill9()
        print(table("failover of Redis, s", {"figures back": figures_after, "events back": events_after}))
        assert figures_after < 30
        assert events_after < 30


def test_ten_thousand_queues_of_four_priorities_take_less_than_two_seconds(
    redis_url: str, umbel_server: UmbelFactory
) -> None:
    names = [f"tenant-{n:05}" for n in range(10_000)]
    app = make_app(redis_url)
    shop = BrokerShop(app, make_inspector(app, None), make_unreachable)
    shop.send(names[0], 1)
    with redis.Redis.from_url(redis_url) as client:
        (message,) = client.lrange(names[0], 0, 0)
        pipe = client.pipeline(transaction=False)
        for at, name in enumerate(names[1:], 1):
            pipe.sadd("_kombu.binding." + name, "\x06\x16".join((name, "", name)))
            for priority in (0, 3, 6, 9):
                key = f"{name}\x06\x16{priority}" if priority else name
                pipe.lpush(key, *[message] * (1 + at % 3))
        pipe.execute()
    begun = time.monotonic()
    reading = shop.inspector.fetch_queues(names)
    read = time.monotonic() - begun
    assert [queue.ready for queue in reading.queues[1:]] == [4 * (1 + at % 3) for at in range(1, 10_000)]
    umbel = umbel_server(redis_url)
    umbel.wait_until_collecting()
    wait_for(lambda: len(umbel.get("/api/v1/queues").json()["items"]) >= 10_000, 60.0)
    begun = time.monotonic()
    assert umbel.get("/api/v1/queues").status == 200
    cached = time.monotonic() - begun
    print(table("10,000 queues of 4 priorities, s", {"read": read, "answered from the cache": cached}))
    assert read < 2
    assert cached < 0.5


def test_a_rabbitmq_that_hangs_is_unavailable_within_seconds() -> None:
    with RabbitServer() as server:
        inspector = RabbitInspector(make_app(server.url), f"http://127.0.0.1:{free_port()}/api/", ApiTls())
        server.freeze()
        begun = time.monotonic()
        try:
            with pytest.raises(BrokerUnavailable):
                inspector.fetch_queues(["orders"])
        finally:
            server.thaw()
        assert time.monotonic() - begun < 15


def test_amqps_and_https_ask_for_a_client_certificate_of_a_private_authority(
    tmp_path: Path, umbel_server: UmbelFactory
) -> None:
    authority = trustme.CA()
    for name, certificate in (
        ("server", authority.issue_cert("127.0.0.1")),
        ("client", authority.issue_cert("umbel")),
    ):
        certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / f"{name}.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    port, api_port = free_port(), free_port()
    config = {"listeners.ssl.default": f"127.0.0.1:{port}", "management.ssl.ip": "127.0.0.1"}
    config["management.ssl.port"] = str(api_port)
    for section in ("ssl_options", "management.ssl"):
        config |= {f"{section}.{kind}file": f"{tmp_path}/server.pem" for kind in ("cert", "key")}
        config |= {f"{section}.cacertfile": f"{tmp_path}/ca.pem", f"{section}.verify": "verify_peer"}
        config[f"{section}.fail_if_no_peer_cert"] = "true"
    with RabbitServer(management=True, config=config | PROMPT_FIGURES) as server:
        app = make_app(server.url)
        BrokerShop(app, make_inspector(app, server.management_url), make_unreachable).send("orders", 3)
        files = {"ca_certs": "ca.pem", "certfile": "client.pem", "keyfile": "client.pem"}
        umbel = umbel_server(
            f"amqps://guest:guest@127.0.0.1:{port}//",
            arguments=[
                f"--broker_api=https://guest:guest@127.0.0.1:{api_port}/api/",
                *(f"--broker_{name}={tmp_path / file}" for name, file in files.items()),
            ],
        )
        umbel.wait_until_collecting(60.0)

        def told() -> dict[str, Any]:
            found: dict[str, Any] = umbel.get("/api/v1/queues/orders").json()
            return found

        wait_for(lambda: (told().get("ready"), told().get("unacked")) == (3, 0), 30.0)
        assert told()["problems"] == []
