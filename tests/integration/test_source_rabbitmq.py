"""The line to RabbitMQ, read natively and, where py-amqp is not as expected, through kombu: nothing is lost."""

import json
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import amqp
import pytest
import trustme

from tests.integration.rabbit_publisher import connect, publish
from tests.integration.running_source import RunningSource
from tests.servers import RabbitServer
from tests.servers.process import free_port, wait_for
from umbel.ingest import amqp_line
from umbel.ingest.amqp_line import AmqpLine
from umbel.ingest.buffer import Buffer
from umbel.ingest.kombu_line import queue_name
from umbel.ingest.source import Message, SourceState

#: For what takes long: kombu's own line, the fallback, is left to `make prove`.
NATIVE_FIRST = pytest.mark.parametrize(
    "way", ["native", pytest.param("kombu", marks=pytest.mark.prove)], indirect=True
)


@pytest.fixture(params=["native", "kombu"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "kombu":
        monkeypatch.setattr(amqp_line, "is_as_expected", lambda wire: False)
    return str(request.param)


class SlowConsumer(RunningSource):
    """A source whose messages go into a small buffer, from which somebody takes them now and then."""

    def __init__(self, broker: str, limit: int, **options: Any) -> None:
        super().__init__(broker, **options)
        self.buffer = Buffer(limit, clock=time.time)
        self.peak = 0

    def _take(self, messages: Sequence[Message]) -> int:
        taken = self.buffer.put(messages)
        self.peak = max(self.peak, self.buffer.size)
        return taken

    def eat(self, count: int) -> None:
        """Take messages out of the buffer, and acknowledge them as stored."""
        taken = self.buffer.take(count)
        self.messages += taken
        if taken and taken[-1].tag is not None:
            self.source.acknowledge(taken[-1].tag)


@pytest.fixture
def publisher(rabbitmq_url: str) -> Iterator[amqp.Channel]:
    with connect(rabbitmq_url) as connection:
        yield connection.channel()


def numbered(count: int, size: int = 0) -> list[bytes]:
    return [
        json.dumps({"type": "task-sent", "number": number, "x": "x" * size}).encode()
        for number in range(count)
    ]


def numbers(running: RunningSource) -> list[int]:
    return [event["number"] for event in running.events() if "number" in event]


def test_events_are_kept_while_we_are_away_for_a_moment(rabbitmq_url: str) -> None:
    with RunningSource(rabbitmq_url) as first:
        first.wait_until_connected()
        assert not first.health.kept
    first.send("task-received", "task-started")
    with RunningSource(rabbitmq_url) as second:
        second.wait_until_connected()
        second.wait_for_types({"task-received", "task-started"})
        assert second.health.kept


def test_what_was_not_acknowledged_is_delivered_again(rabbitmq_url: str) -> None:
    with RunningSource(rabbitmq_url) as first:
        first.wait_until_connected()
        first.send("task-received")
        first.wait_for_types({"task-received"})
    with RunningSource(rabbitmq_url) as second:
        second.wait_for_types({"task-received"})
        tags = [message.tag for message in second.messages]
        second.source.acknowledge(max(tag for tag in tags if tag is not None))
        wait_for(lambda: _unacknowledged(second) == 0, 10.0)
    with RunningSource(rabbitmq_url) as third:
        third.wait_until_connected()
        assert third.events() == []


def _unacknowledged(running: RunningSource) -> int:
    generation = running.source._generation
    assert generation is not None
    return generation._to_ack - generation._acked


def test_our_queue_is_bounded_and_expires(rabbitmq_server: RabbitServer, rabbitmq_url: str) -> None:
    with RunningSource(rabbitmq_url, queue_expires=120.0, queue_max_bytes=2**20) as running:
        running.wait_until_connected()
        host = rabbitmq_url.rpartition("/")[2]
        queue = rabbitmq_server.manage(
            "GET", f"queues/{host}/{queue_name(running.app, running.settings)}"
        ).json()
    assert queue["durable"] and not queue["auto_delete"]
    arguments = queue["arguments"]
    arguments.pop("x-queue-type", None)  # which newer versions tell of every queue
    assert arguments == {"x-expires": 120_000, "x-max-length-bytes": 2**20}


def test_bodies_come_whole_whatever_their_size(rabbitmq_url: str, publisher: amqp.Channel) -> None:
    bodies = [b"", b"{}", json.dumps("x" * 3_000_000).encode(), b"\xff\x00not json", b"1" * 131_064, b"last"]
    with RunningSource(rabbitmq_url) as running:
        running.wait_until_connected()
        publish(publisher, bodies, content_encoding="binary")
        wait_for(lambda: bodies[-1] in [message.body for message in running.messages], 20.0)
        found = [message for message in running.messages if message.routing_key == "task.multi"]
    assert [message.body for message in found] == bodies
    tags = [message.tag for message in running.messages]
    assert tags == sorted(tags, key=lambda tag: tag or 0)


def test_a_body_beyond_what_is_read_at_all_holds_nothing_up(
    rabbitmq_url: str, publisher: amqp.Channel, way: str
) -> None:
    with RunningSource(rabbitmq_url, max_message=2_000_000) as running:
        running.wait_until_connected()
        publish(publisher, [b"x" * 10_000_000, b"{}"])
        wait_for(lambda: any(message.body == b"{}" for message in running.messages), 20.0)
        (size,) = [len(message.body) for message in running.messages if message.body[:1] == b"x"]
    assert size > 2_000_000
    assert size < 2_200_000 or way == "kombu"


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-" + "y" * 200, "grün"])
def test_content_types_are_handed_on_as_they_are(
    rabbitmq_url: str, publisher: amqp.Channel, content_type: str
) -> None:
    with RunningSource(rabbitmq_url) as running:
        running.wait_until_connected()
        publish(publisher, [b"{}"], content_type=content_type)
        found = wait_for(lambda: [message for message in running.messages if message.body == b"{}"], 10.0)
    assert found is not None
    assert [message.content_type for message in found] == [content_type]


def test_a_queue_that_is_deleted_ends_the_line_with_a_reason(
    rabbitmq_url: str, publisher: amqp.Channel
) -> None:
    with RunningSource(rabbitmq_url, probe_interval=0.5) as running:
        running.wait_until_connected()
        publisher.queue_delete(queue_name(running.app, running.settings))
        wait_for(lambda: running.outages, 20.0, message=lambda: str(running.health))
        assert "was deleted" in running.outages[0].detail
        assert running.outages[0].lossy
        running.send("task-received")
        running.wait_for_types({"task-received"})


def test_a_channel_that_is_closed_ends_the_line_with_a_reason(rabbitmq_url: str) -> None:
    with RunningSource(rabbitmq_url, probe_interval=0.5) as running:
        running.wait_until_connected()
        tag = next(message.tag for message in running.messages if message.tag is not None)
        running.source.acknowledge(tag + 1000)
        wait_for(lambda: running.outages, 20.0, message=lambda: str(running.health))
        assert "unknown delivery tag" in running.outages[0].detail
        assert not running.outages[0].lossy


def test_an_account_that_may_not_publish_is_answered_by_pings(
    rabbitmq_server: RabbitServer, rabbitmq_url: str
) -> None:
    host = rabbitmq_url.rpartition("/")[2]
    with connect(rabbitmq_url) as connection:
        connection.channel().exchange_declare("celeryev", "topic", durable=True, auto_delete=False)
    own = r"^(celeryev\.umbel\..*|amq\.default)$"
    rabbitmq_server.manage("PUT", f"users/{host}", json.dumps({"password": "pw", "tags": ""}))
    rights = {"configure": own, "write": own, "read": ".*"}
    rabbitmq_server.manage("PUT", f"permissions/{host}/{host}", json.dumps(rights))
    url = rabbitmq_url.replace("guest:guest", f"{host}:pw")
    with RunningSource(url, probe_interval=0.3, proof_timeout=3.0) as running:
        wait_for(lambda: running.health.proof == "ping", 20.0, message=lambda: str(running.health))
        first = running.health.proof_at
        wait_for(lambda: (running.health.proof_at or 0.0) > (first or 0.0) + 4.0, 20.0)
        assert running.health.state is SourceState.CONNECTED
        assert running.outages == []


@NATIVE_FIRST
def test_tls_is_read_as_plain_sockets_are(way: str) -> None:
    with RabbitServer() as plain:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(plain.folder / "ca.pem"))
        authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(
            str(plain.folder / "server.pem")
        )
        port, files = free_port(), {"cacertfile": "ca.pem", "certfile": "server.pem", "keyfile": "server.pem"}
        plain.config |= {"listeners.ssl.default": f"127.0.0.1:{port}", "ssl_options.verify": "verify_none"}
        plain.config |= {f"ssl_options.{name}": str(plain.folder / file) for name, file in files.items()}
        plain.restart()
        tls = {"ca_certs": str(plain.folder / "ca.pem"), "server_hostname": "127.0.0.1"}
        with RunningSource(f"amqps://guest:guest@127.0.0.1:{port}//", {"broker_use_ssl": tls}) as running:
            running.wait_until_connected(40.0)
            with connect(plain.url_of("x").removesuffix("x")) as connection:
                publish(
                    connection.channel(),
                    [*numbered(3000, 500), json.dumps("x" * 500_000).encode(), *numbered(1)],
                )

            def read_bodies() -> list[bytes]:
                # our own probes come among them
                return [
                    message.body for message in list(running.messages) if message.routing_key == "task.multi"
                ]

            wait_for(lambda: len(read_bodies()) >= 3002, 20.0)
            bodies = read_bodies()
    assert bodies[:3000] == numbered(3000, 500)
    assert [len(bodies[3000]), bodies[3001]] == [500_002, numbered(1)[0]]


def test_a_slow_consumer_loses_nothing_and_holds_little(rabbitmq_url: str, publisher: amqp.Channel) -> None:
    with SlowConsumer(rabbitmq_url, 200_000, probe_interval=0.5, proof_timeout=2.0) as running:
        running.wait_until_connected()
        publish(publisher, numbered(8000, 500))

        states = set()

        def eaten() -> bool:
            states.add(running.health.state)
            running.eat(300)
            return len(running.messages) >= 8000 and len(numbers(running)) >= 8000

        wait_for(eaten, 60.0)
        assert sorted(numbers(running)) == list(range(8000))
        assert running.peak <= 200_000
        assert states == {SourceState.CONNECTED}
        assert running.buffer.dropped == {}
        assert running.outages == []


def test_a_backlog_is_told_as_such_and_the_line_is_kept(rabbitmq_url: str, publisher: amqp.Channel) -> None:
    with SlowConsumer(rabbitmq_url, 50_000, probe_interval=0.5, proof_timeout=3.0) as running:
        running.wait_until_connected()
        publish(publisher, numbered(1000, 500))
        begun = time.time()
        wait_for(lambda: running.health.behind > 5.0, 20.0, message=lambda: str(running.health))
        assert time.time() - begun < 8.0
        assert running.health.state is SourceState.CONNECTED

        def caught_up() -> bool:
            running.eat(100)
            return running.health.behind == 0.0

        wait_for(caught_up, 20.0, message=lambda: str(running.health))
        running.eat(1000)
        assert running.outages == []
        assert sorted(numbers(running)) == list(range(1000))


@pytest.mark.prove
@pytest.mark.timeout(120)
def test_rabbitmq_does_not_cut_off_who_has_no_room_for_a_while(
    rabbitmq_url: str, publisher: amqp.Channel
) -> None:
    """It does so after 30 s in which not enough is taken from a full socket."""
    with RunningSource(rabbitmq_url) as running:
        running.wait_until_connected()
        running.room = False
        publish(publisher, numbered(3000, 20_000))
        begun = time.monotonic()
        with suppress(AssertionError):
            wait_for(lambda: running.outages or running.health.error, 36.0)
        assert time.monotonic() - begun > 35.0, running.health
        running.room = True
        wait_for(lambda: len(running.messages) >= 3000, 20.0)
        wait_for(lambda: len(numbers(running)) >= 3000, 20.0)
        assert sorted(numbers(running)) == list(range(3000))


def test_a_writing_connection_that_breaks_is_replaced_and_no_outage(rabbitmq_url: str) -> None:
    with RunningSource(rabbitmq_url, probe_interval=0.5, proof_timeout=5.0) as running:
        running.wait_until_connected()
        generation = running.source._generation
        assert generation is not None
        broken = generation.control
        assert broken._connection is not None
        broken._connection.connection.sock.shutdown(socket.SHUT_RDWR)
        wait_for(lambda: generation.control is not broken, 10.0)
        renewed = time.time()
        wait_for(
            lambda: (running.health.proof_at or 0.0) > renewed, 10.0, message=lambda: str(running.health)
        )
        running.source.enable_events()
        assert running.health.proof == "probe"
        assert running.outages == []
        assert running.source._generation is generation


@NATIVE_FIRST
@pytest.mark.timeout(120)
def test_heartbeats_go_out_whether_much_nothing_or_no_more_is_read() -> None:
    """Nothing is acknowledged here, so all that RabbitMQ hears of the reading line are its heartbeats."""
    with RabbitServer(config={"heartbeat": "2"}) as server, RunningSource(server.url) as running:
        running.wait_until_connected(40.0)
        with connect(server.url_of("x").removesuffix("x")) as connection:
            channel = connection.channel()

            def send() -> None:
                publish(channel, [b"{}"])

            for room, work in ((True, send), (True, time.time), (False, send)):
                running.room = room
                begun = time.monotonic()

                def is_over(begun: float = begun, work: Callable[[], object] = work) -> bool:
                    work()
                    return time.monotonic() - begun > 7.0

                wait_for(is_over, 10.0)
                assert running.health.state is SourceState.CONNECTED
        assert running.source._generation is not None
        assert running.source._generation.number == 1
        assert running.outages == []


def test_the_line_is_native_where_it_can_be(rabbitmq_url: str, way: str) -> None:
    with RunningSource(rabbitmq_url) as running:
        running.wait_until_connected()
        line = running.source._generation and running.source._generation.line
        assert isinstance(line, AmqpLine)
        assert (line._deliveries is None) == (way == "kombu")
