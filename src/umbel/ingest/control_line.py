"""The other direction: probes, broadcasts to workers and questions to the broker, over a connection of their own.

Belongs to one generation of `ingest.kombu_source`, which holds a lock around each call. Never asks for replies, so it
leaves no reply queue behind.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

from celery import Celery
from kombu import Connection, Producer

from umbel.ingest.kombu_line import exists, queue_name
from umbel.ingest.line import connect, event_exchange
from umbel.ingest.settings import CollectorSettings
from umbel.ingest.source import Presence

#: Type of our own event; its routing key is PROBE_KEY. Other monitors see and ignore it.
PROBE = "umbel-probe"
PROBE_KEY = "umbel.probe"

#: A destination that no worker has: the message is received and ignored.
_NOBODY = "umbel-census"

_CONTROL_HEADERS = {"clock": 0, "expires": 0}

#: What brokers say when an account may not publish or declare: Redis' NOPERM, AMQP's ACCESS_REFUSED.
_REFUSALS = ("NOPERM", "no permissions", "ACCESS_REFUSED", "ACCESS-REFUSED")


class ControlLine:
    """One connection that writes. Every method raises what kombu or its drivers raise."""

    def __init__(self, app: Celery, settings: CollectorSettings) -> None:
        self._app = app
        self._settings = settings
        self._connection: Connection | None = None
        self._producer: Any = None
        self._exchange: Any = None
        #: redis-py's connection that publications on Redis go over.
        self._wire: Any = None

    @property
    def driver(self) -> str:
        """kombu's driver type: "redis", "amqp", "filesystem", …"""
        return str(self._open().transport.driver_type)

    def _open(self) -> Connection:
        if self._connection is None:
            connection = connect(self._app, self._settings)
            self._producer = Producer(connection.channel(), auto_declare=False)
            self._exchange = event_exchange(self._app, connection)
            self._connection = connection
        return self._connection

    def send_probe(self, token: str, *, now: float) -> bool:
        """Publish one probe as a well-formed event through the event exchange; True when the broker has answered."""
        connection = self._open()
        event = {
            "type": PROBE, "hostname": sender_of(self._settings), "utcoffset": 0, "pid": 0, "clock": 0,
            "timestamp": now, "token": token,
        }  # fmt: skip
        if connection.transport.driver_type == "redis":
            self._publish(self._exchange.name, PROBE_KEY, event)
            return False
        declare = [] if connection.transport.driver_type == "amqp" else [self._exchange]
        self._producer.publish(
            json.dumps(event), exchange=self._exchange.name, routing_key=PROBE_KEY, declare=declare,
            content_type="application/json", content_encoding="utf-8", delivery_mode=1, retry=False,
        )  # fmt: skip
        if connection.transport.driver_type == "amqp":
            # looking at a queue renews its lease, and a refused publication shows by now
            exists(connection, self._renew_marker)
            return True
        return False

    def _renew_marker(self, channel: Any) -> None:
        channel.queue_declare(queue_name(self._app, self._settings) + ".alive", passive=True)

    def broadcast(self, command: str, destination: Collection[str] | None = None) -> None:
        """Send a control command to all workers, or to these."""
        mailbox = self._app.control.mailbox
        if self.driver == "redis" and mailbox.serializer in (None, "json"):
            self._publish(mailbox.exchange.name, "", _command(command, destination), _CONTROL_HEADERS)
            return
        self._producer.publish(
            _command(command, destination), exchange=mailbox.exchange.name, declare=[mailbox.exchange],
            headers=_CONTROL_HEADERS, serializer=mailbox.serializer or "json", retry=False,
        )  # fmt: skip

    def fetch_presence(self, silent: Collection[str]) -> Presence:
        """What the broker knows of the silent workers' control subscriptions."""
        driver = self.driver
        if driver == "amqp":
            return self._presence_of_queues(silent)
        if driver == "redis":
            return self._count_subscriptions(silent)
        return Presence(known=False)

    def _presence_of_queues(self, silent: Collection[str]) -> Presence:
        """RabbitMQ deletes a worker's control queue with its connection, which ends when the process dies."""
        connection = self._open()
        mailbox = self._app.control.mailbox
        present: set[str] = set()
        absent: set[str] = set()
        for hostname in silent:
            name = mailbox.get_queue(hostname).name

            def look(channel: Any, name: str = name) -> None:
                # without a consumer the queue waits for its expiry, and the worker is gone
                if not channel.queue_declare(name, passive=True).consumer_count:
                    raise LookupError(name)

            try:
                found = exists(connection, look)
            except LookupError:
                found = False
            (present if found else absent).add(hostname)
        return Presence(known=True, present=frozenset(present), absent=frozenset(absent))

    def _count_subscriptions(self, silent: Collection[str]) -> Presence:
        """Redis only tells how many subscriptions a publication reached: `ingest.census` makes something of it."""
        self._open()
        exchange = self._app.control.mailbox.exchange.name
        reached = self._publish(exchange, "", _command("ping", [_NOBODY]), _CONTROL_HEADERS)
        return Presence(known=False, reached=reached, silent=frozenset(silent))

    def _publish(
        self, exchange: str, key: str, body: Mapping[str, Any], headers: Mapping[str, int] | None = None
    ) -> int:
        """Publish on Redis as kombu would; return how many subscriptions it reached.

        redis-py's own `publish` costs five times as much, which is most of what an idle collector does.
        """
        channel: Any = self._open().default_channel
        if self._wire is None:
            self._wire = channel.client.client().connection
        message = channel.prepare_message(
            json.dumps(body), content_type="application/json", content_encoding="utf-8",
            headers=dict(headers or {}), properties={"delivery_mode": 1},
        )  # fmt: skip
        channel._inplace_augment_message(message, exchange, key)
        command = ["PUBLISH", channel._get_publish_topic(exchange, key), json.dumps(message)]
        # a client with a key prefix puts it in front of the channel
        prefixed = getattr(channel.client, "_prefix_args", list)
        self._wire.send_command(*prefixed(command), check_health=False)
        return int(self._wire.read_response())

    def close(self) -> None:
        """Close what is open; never raises, and may block for a second on a broker that is silent."""
        connection, self._connection, wire, self._wire = self._connection, None, self._wire, None
        if connection is None:
            return
        try:
            if wire is not None:
                wire.disconnect()
            if connection.transport.driver_type == "amqp":
                connection.collect(socket_timeout=1.0)
            else:
                connection.release()
        except (OSError, *connection.recoverable_connection_errors):
            pass  # closing a broken connection


def sender_of(settings: CollectorSettings) -> str:
    """The hostname in the probes of this history, whichever process sends them."""
    return "umbel@" + settings.store_id


def refused(error: BaseException) -> bool:
    """Whether the broker said that this account may not do that."""
    return any(word in str(error) for word in _REFUSALS)


def _command(method: str, destination: Collection[str] | None) -> dict[str, Any]:
    return {
        "method": method, "arguments": {}, "destination": None if destination is None else sorted(destination),
        "pattern": None, "matcher": None,
    }  # fmt: skip
