"""The contract of a broker inspector on Redis, in every way that kombu can be told to use it."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import redis

from tests.apps.queues import make_app
from tests.contract.broker_contract import BrokerContract, BrokerShop
from tests.servers import RedisServer, free_port, wait_for
from umbel.brokers.redis_channel import LONGEST, Channels
from umbel.brokers.registry import make_inspector
from umbel.errors import BrokerUnavailable

#: Settings of the app for each way; the odd ones have all that kombu lets users change.
ODD = {
    "priority_steps": list(range(10)),
    "sep": "|*[",
    "global_keyprefix": "shop[1]*:",
    "unacked_key": "held",
    "unacked_index_key": "held-index",
}
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "odd": {"broker_transport_options": ODD},
    "few steps": {"broker_transport_options": {"priority_steps": [0, 5]}},
}


def steps_of(shop: BrokerShop) -> list[int]:
    steps: list[int] = shop.app.conf.broker_transport_options.get("priority_steps", [0, 3, 6, 9])
    return steps


def make_unreachable() -> Any:
    return make_inspector(make_app(f"redis://127.0.0.1:{free_port()}/0"), None)


class TestRedis(BrokerContract):
    """Figures, names, marks, failures, looking and purging."""

    @pytest.fixture(params=WAYS)
    def shop(self, request: pytest.FixtureRequest, redis_url: str) -> BrokerShop:
        app = make_app(redis_url, **WAYS[request.param])
        return BrokerShop(app, make_inspector(app, None), make_unreachable)

    def test_a_queue_is_the_sum_of_its_priorities(self, shop: BrokerShop) -> None:
        for priority in range(10):
            shop.send("orders", priority=priority)
        found = shop.figures("orders")
        assert found.ready == 10
        steps = steps_of(shop)
        expected = dict.fromkeys(steps, 0)
        for priority in range(10):
            expected[max(step for step in steps if step <= priority)] += 1
        assert found.priorities == expected

    def test_messages_are_looked_at_in_the_order_of_their_priorities(self, shop: BrokerShop) -> None:
        sent = [(priority, shop.send("orders", priority=priority)[0]) for priority in (9, 6, 0, 9, 0)]
        steps = steps_of(shop)
        # the lowest number first; of one list, what came first
        ordered = sorted(sent, key=lambda pair: max(step for step in steps if step <= pair[0]))
        expected = [task_id for _, task_id in ordered]
        peek = shop.inspector.peek("orders", offset=0, limit=50)
        assert [message.task_id for message in peek.messages] == expected
        for offset in range(5):
            (message,) = shop.inspector.peek("orders", offset=offset, limit=1).messages
            assert (message.task_id, message.position) == (expected[offset], offset + 1)

    def test_what_workers_hold_is_looked_at_by_queue(self, shop: BrokerShop) -> None:
        (held,) = shop.send("orders")
        shop.send("mails")
        with shop.holding("orders", 1):
            peek = shop.inspector.peek("orders", unacked=True)
            (message,) = peek.messages
            assert (message.task_id, message.position, peek.total) == (held, None, 1)
            assert message.delivered is not None
            assert shop.inspector.peek("mails", unacked=True).messages == []

    def test_the_message_of_a_task_is_found_wherever_it_is(self, shop: BrokerShop) -> None:
        (held,) = shop.send("orders", priority=9)
        with shop.holding("orders", 1):
            waiting = shop.send("orders", 600, priority=3)[-1]
            (elsewhere,) = shop.send("mails", headers={"tenant": "花"}, compression="gzip")
            for task_id, queue, is_held in (
                (held, "orders", True), (waiting, "orders", False), (elsewhere, "mails", False),
            ):  # fmt: skip
                message = shop.inspector.find(task_id, ["orders", "mails"]).message
                assert message is not None
                assert (message.queue, message.held) == (queue, is_held)
                assert message.headers["id"] == task_id
            assert message is not None
            assert message.headers["tenant"] == "花"
            assert zlib.decompress(message.body).startswith(b"[[0]")
            none = shop.inspector.find("nobody", ["orders", "mails"])
            assert (none.message, none.looked_at, none.complete) == (None, 602, True)

    def test_not_a_byte_in_redis_changes(self, shop: BrokerShop, redis_url: str) -> None:
        shop.send("orders", 30)
        with redis.Redis.from_url(redis_url) as client, shop.holding("orders", 2):
            before = {key: client.dump(key) for key in client.scan_iter()}
            for _ in range(50):
                shop.inspector.peek("orders", limit=10)
                shop.inspector.peek("orders", unacked=True)
                shop.inspector.find("nobody", ["orders", "absent"])
            shop.inspector.fetch_queues(["orders", "absent"])
            shop.inspector.fetch_names()
            assert {key: client.dump(key) for key in client.scan_iter()} == before

    def test_a_key_of_another_type_counts_nothing(self, shop: BrokerShop, redis_url: str) -> None:
        prefix = shop.app.conf.broker_transport_options.get("global_keyprefix", "")
        with redis.Redis.from_url(redis_url) as client:
            client.set(f"{prefix}orders", "text")
        assert shop.figures("orders").messages == 0
        assert shop.inspector.peek("orders").messages == []

    def test_a_queue_behind_an_exchange_knows_what_is_held(self, shop: BrokerShop) -> None:
        from kombu import Exchange, Queue

        topic = Exchange("events", type="topic")
        shop.app.conf.task_queues = [Queue("audit", topic, routing_key="order.#")]
        shop.send("audit", 2, exchange="events", routing_key="order.paid.late")
        shop.wait_for_figures("audit", ready=2)
        with shop.holding("audit", 1):
            shop.wait_for_figures("audit", messages=2, ready=1, unacked=1)


def test_users_of_an_access_list_see_what_they_may() -> None:
    with RedisServer(password="top") as server:
        with server.client() as client:
            client.acl_setuser("ann", enabled=True, passwords=["+p@ss"], keys=["*"], categories=["+@all"])
            client.acl_setuser(
                "bob", enabled=True, passwords=["+p"], keys=["orders*", "_kombu*"], categories=["+@all"]
            )
        app = make_app(f"redis://ann:p%40ss@127.0.0.1:{server.port}/0")
        BrokerShop(app, make_inspector(app, None), make_unreachable).send("orders", 2)
        found = make_inspector(app, None).fetch_queues(["orders", "mails"])
        assert [queue.messages for queue in found.queues] == [0, 2]
        bobs = make_inspector(make_app(f"redis://bob:p@127.0.0.1:{server.port}/0"), None)
        mails, orders = bobs.fetch_queues(["orders", "mails"]).queues
        assert (orders.ready, mails.ready, orders.unacked) == (2, None, None)
        assert any("mails" in problem for problem in bobs.fetch_queues(["mails"]).problems)
        wrong = make_inspector(make_app(f"redis://ann:wrong@127.0.0.1:{server.port}/0"), None)
        with pytest.raises(BrokerUnavailable):
            wrong.fetch_queues(["orders"])


def tls_app(server: RedisServer) -> Any:
    options = {"ssl_ca_certs": str(server.ca_file), "ssl_cert_reqs": "required"}
    return make_app(f"rediss://127.0.0.1:{server.port}/0", broker_use_ssl=options)


@pytest.mark.parametrize(
    ("options", "make"),
    [({"tls": True}, tls_app), ({"unixsocket": True}, lambda server: make_app(server.url))],
    ids=["TLS with a private authority", "unix socket"],
)
def test_other_ways_to_connect(options: dict[str, Any], make: Callable[[RedisServer], Any]) -> None:
    with RedisServer(**options) as server:
        app = make(server)
        shop = BrokerShop(app, make_inspector(app, None), make_unreachable)
        shop.send("orders", 2)
        with shop.holding("orders", 1):
            shop.wait_for_figures("orders", messages=2, ready=1, unacked=1)


def test_an_authority_that_is_not_trusted_is_told() -> None:
    with RedisServer(tls=True) as server:
        app = make_app(f"rediss://127.0.0.1:{server.port}/0", broker_use_ssl={"ssl_cert_reqs": "required"})
        with pytest.raises(BrokerUnavailable, match="certificate verify failed"):
            make_inspector(app, None).fetch_queues(["orders"])


@pytest.fixture
def frozen() -> Iterator[RedisServer]:
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer())
        server.freeze()
        stack.callback(server.thaw)
        yield server


def test_a_redis_that_hangs_is_unavailable_within_seconds(frozen: RedisServer) -> None:
    with pytest.raises(BrokerUnavailable):
        make_inspector(make_app(frozen.url), None).fetch_queues(["orders"])


def clients_of(server: RedisServer) -> list[str]:
    """Addresses of who is connected, without the asker."""
    with redis.Redis.from_url(server.url) as client:
        mine = client.client_info()["addr"]
        return sorted(row["addr"] for row in client.client_list() if row["addr"] != mine)


def test_readings_share_a_connection_that_is_closed_at_the_end() -> None:
    with RedisServer() as server:
        inspector = make_inspector(make_app(server.url), None)
        inspector.fetch_queues(["orders"])
        first = clients_of(server)
        assert len(first) == 1
        for _ in range(3):
            inspector.fetch_queues(["orders", "mails"])
            inspector.fetch_names()
        assert clients_of(server) == first
        inspector.close()
        wait_for(lambda: clients_of(server) == [])
        assert inspector.fetch_queues(["orders"]).queues, "a question after that opens another one"
        inspector.close()


def test_a_broker_that_was_away_between_two_readings_is_found_again() -> None:
    with RedisServer() as server:
        inspector = make_inspector(make_app(server.url), None)
        inspector.fetch_queues(["orders"])
        server.restart()
        # nothing was read meanwhile: the connection that was kept is dead
        assert [queue.ready for queue in inspector.fetch_queues(["orders"]).queues] == [0]
        server.stop()
        with pytest.raises(BrokerUnavailable):
            inspector.fetch_queues(["orders"])
        server.start()
        assert [queue.ready for queue in inspector.fetch_queues(["orders"]).queues] == [0]
        inspector.close()


def test_a_connection_is_not_kept_for_ever() -> None:
    now = 0.0
    with RedisServer() as server:
        channels = Channels(make_app(server.url), monotonic=lambda: now)
        with channels.lend() as first:
            pass
        with channels.lend() as again, channels.lend() as other:
            assert again is first and other is not first
        now = LONGEST
        with channels.lend() as later:
            assert later is not first and later is not other
        channels.close()


def fail_with(channels: Channels, error: Exception) -> None:
    with channels.lend():
        raise error


@pytest.mark.parametrize(
    ("error", "told"),
    [(ValueError("of the driver's kind"), BrokerUnavailable), (RuntimeError("ours"), RuntimeError)],
)
def test_an_error_ends_the_connection(error: Exception, told: type[Exception]) -> None:
    with RedisServer() as server:
        channels = Channels(make_app(server.url))
        with channels.lend() as broken:
            pass
        with pytest.raises(told):
            fail_with(channels, error)
        wait_for(lambda: clients_of(server) == [])
        with channels.lend() as channel:
            assert channel is not broken
        channels.close()
