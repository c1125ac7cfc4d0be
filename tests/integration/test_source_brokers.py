"""The source's contract on every kind of broker, and what each of them asks for."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.running_source import RunningSource
from tests.servers import RedisServer
from tests.servers.process import wait_for
from umbel.errors import SourceError
from umbel.ingest.redis_line import HiredisReplies, RedisPyReplies


@pytest.fixture(params=["redis", "rabbitmq", "filesystem"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, object]]:
    if request.param == "filesystem":
        folders = {"data_folder_in": "data", "data_folder_out": "data", "control_folder": "control"}
        options = {key: str(tmp_path / folder) for key, folder in folders.items()}
        for folder in options.values():
            Path(folder).mkdir(exist_ok=True)
        return "filesystem://", {"broker_transport_options": options}
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url, {}


def test_events_arrive_once_proof_of_life_is_there(broker: tuple[str, dict[str, object]]) -> None:
    with RunningSource(*broker) as running:
        running.wait_until_connected()
        assert running.health.proof == "probe"

        running.send("worker-online", "task-received", "task-started")

        running.wait_for_types({"worker-online", "task-received", "task-started"})
        assert len(running.events()) == 3
        assert {message.content_type for message in running.messages} == {"application/json"}


def test_commands_reach_the_workers_control_exchange(broker: tuple[str, dict[str, object]]) -> None:
    with RunningSource(*broker) as running:
        running.wait_until_connected()
        received: list[dict[str, object]] = []
        with running.app.connection_for_read() as connection:
            node = running.app.control.mailbox.Node("celery@here", channel=connection.channel())
            node.handlers["enable_events"] = lambda state, **_: received.append({"enabled": True})
            node.handlers["heartbeat"] = lambda state, **_: received.append({"heartbeat": True})
            consumer = node.listen(callback=lambda body, message: node.handle_message(body, message))
            with suppress(TimeoutError):
                connection.drain_events(timeout=0.5)  # Redis is subscribed to by reading only

            give(running.source.enable_events)
            give(lambda: running.source.call_heartbeats(["celery@elsewhere"]))
            give(lambda: running.source.call_heartbeats(["celery@here"]))
            while len(received) < 2:
                connection.drain_events(timeout=10)
            consumer.cancel()

        # the folder of the filesystem transport has an order by the millisecond only
        assert sorted(map(str, received)) == ["{'enabled': True}", "{'heartbeat': True}"]


def give(command: Callable[[], object]) -> None:
    """Once there is a line: kombu's file transport ends it when it reads a file that is being written."""
    wait_for(lambda: command() is None, 10.0, retry=(SourceError,))


def test_a_transport_without_broadcast_is_refused_with_a_reason() -> None:
    with RunningSource("sqla+sqlite://") as running:
        wait_for(
            lambda: "cannot broadcast" in running.health.error, 10.0, message=lambda: str(running.health)
        )


def test_commands_fail_at_once_while_the_broker_is_away() -> None:
    with RunningSource("redis://127.0.0.1:1/0") as running, pytest.raises(SourceError):
        running.source.enable_events()


@pytest.mark.parametrize("conf", [{}, {"broker_transport_options": {"global_keyprefix": "shop:"}}])
def test_redis_keeps_nothing_of_ours(
    redis_server: RedisServer, redis_url: str, conf: dict[str, object]
) -> None:
    with RunningSource(redis_url, conf) as running:
        running.wait_until_connected()
        running.send("worker-online")
        running.wait_for_types({"worker-online"})
    with redis_server.client(int(redis_url.rpartition("/")[2])) as client:
        assert client.keys() == []


@pytest.mark.parametrize("prefix", ["shop*:", "shop?:", "shop[1]:", "[^a-c]shop\\:"])
def test_pattern_letters_in_a_key_prefix_mean_themselves(redis_url: str, prefix: str) -> None:
    conf = {"broker_transport_options": {"global_keyprefix": prefix}}
    neighbour = RunningSource(redis_url, {"broker_transport_options": {"global_keyprefix": "shop1:"}})
    with RunningSource(redis_url, conf) as running:
        running.wait_until_connected()
        neighbour.send("worker-offline")
        running.send("worker-online")
        running.wait_for_types({"worker-online"})
        assert len(running.events()) == 1


def test_an_event_exchange_with_pattern_letters_and_no_patterns_at_all(redis_url: str) -> None:
    conf = {"event_exchange": "ev[1]*", "broker_transport_options": {"fanout_patterns": False}}
    for settings in (conf, {"event_exchange": "ev[1]*"}):
        with RunningSource(redis_url, settings) as running:
            running.wait_until_connected()
            running.send("worker-online")
            running.wait_for_types({"worker-online"})


@pytest.mark.parametrize("options", [{"tls": True}, {"unixsocket": True}, {"password": "p@ss/word"}])
def test_redis_by_tls_socket_file_and_password(options: dict[str, object]) -> None:
    with RedisServer(**options) as server, RunningSource(server.url) as running:  # type: ignore[arg-type]
        running.wait_until_connected()
        running.send("worker-online")
        running.wait_for_types({"worker-online"})


def test_a_redis_account_that_may_not_publish_falls_back_and_says_so() -> None:
    with RedisServer() as server:
        with server.client() as client:
            client.acl_setuser(
                "reader", enabled=True, passwords=["+pw"], channels=["*"], commands=["+@all", "-publish"]
            )
        with RunningSource(server.url.replace("redis://", "redis://reader:pw@")) as running:
            running.wait_until_connected()
            assert running.health.proof in ("ping", "traffic")


@pytest.mark.parametrize("kind", [HiredisReplies, RedisPyReplies])
def test_redis_is_read_with_and_without_hiredis(
    redis_server: RedisServer, kind: type[HiredisReplies] | type[RedisPyReplies]
) -> None:
    with redis_server.client(0) as client, client.pubsub() as subscription:
        subscription.psubscribe("/0.test/*")
        replies = kind(subscription.connection)
        found: list[list[bytes]] = []

        def read_until(count: int) -> bool:
            found.extend(replies.read(0.1))
            return len(found) >= count

        wait_for(lambda: read_until(1), 5)
        assert replies.read(0.01) == []

        for number in range(700):
            client.publish("/0.test/key", b"%d" % number)

        wait_for(lambda: read_until(701), 5)
        assert [found[0][0], found[1][0], found[1][2]] == [b"psubscribe", b"pmessage", b"/0.test/key"]
        assert [reply[3] for reply in found[1:]] == [b"%d" % number for number in range(700)]
