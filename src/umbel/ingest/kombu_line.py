"""Lines made of kombu's own consumer: RabbitMQ, and every virtual transport that has fan-out.

On RabbitMQ the queue is ours, durable, bounded and expiring, so that a short absence loses nothing; elsewhere kombu
keeps nothing for us. `ingest.amqp_line` reads the same queue natively.
"""

import hashlib
import socket
import time
from typing import Any

from celery import Celery
from kombu import Connection, Queue

from umbel.errors import SourceError
from umbel.ingest.line import Line, connect, event_exchange
from umbel.ingest.settings import CollectorSettings
from umbel.ingest.source import Message

#: Unacknowledged messages RabbitMQ may hand us: more than it can in the time between two commits. It also bounds what
#: we hold beside the buffer while that is full.
PREFETCH = 40_000

#: Seconds after which either side of an AMQP connection gives up a silent peer.
_HEARTBEAT = 20


class KombuAmqpLine(Line):
    """A durable, expiring queue on RabbitMQ, read through kombu and acknowledged after commit."""

    #: As often as heartbeats need it.
    rest = _HEARTBEAT / 4

    #: Readings of the socket in one `keep`: RabbitMQ cuts off who takes nothing, or too little to matter, for 30 s.
    _trickle = 500

    def __init__(self, app: Celery, settings: CollectorSettings) -> None:
        self._app = app
        self._settings = settings
        self._messages: list[Message] = []
        #: Taken while the buffer was full; `PREFETCH` bounds it.
        self._held: list[Message] = []
        self._connection: Connection | None = None
        self._channel: Any = None
        self._queue = ""
        #: When the next look at the heartbeats, or the next heartbeat while nothing is read, is due; monotonic.
        self._next_beat = 0.0

    @property
    def _wire(self) -> Any:
        """The driver's connection."""
        assert self._connection is not None
        return self._connection.connection

    def open(self) -> None:
        self._connection = connect(self._app, self._settings, heartbeat=_HEARTBEAT)
        self._connection.connect()
        exchange = event_exchange(self._app, self._connection)
        self._declare_exchange(exchange)
        arguments = queue_arguments(self._settings)
        self._queue = queue_name(self._app, self._settings)
        self.kept = self._was_kept(arguments)
        self._channel = channel = self._connection.channel()
        channel.queue_declare(self._queue, durable=True, auto_delete=False, arguments=arguments)
        channel.queue_bind(self._queue, exchange=exchange.name, routing_key="#")
        channel.basic_qos(0, PREFETCH, False)
        channel.basic_consume(self._queue, callback=self._receive, no_ack=False, on_cancel=self._end)

    def _end(self, consumer: str) -> None:
        raise SourceError(f"RabbitMQ ended our consumer: the queue {self._queue} was deleted or moved.")

    def _declare_exchange(self, exchange: Any) -> None:
        """Passive first: an account may be allowed to read only, and the type is the workers' choice."""
        assert self._connection is not None
        if exists(
            self._connection,
            lambda channel: channel.exchange_declare(exchange.name, exchange.type, passive=True),
        ):
            return
        with self._connection.channel() as channel:
            exchange(channel).declare()

    def _was_kept(self, arguments: dict[str, Any]) -> bool:
        """Whether our queue outlived our absence, and with it all events.

        A durable queue survives a restart of the broker, but its events, which are transient, do not. So a second
        queue holds one transient message that nobody reads: if it is there, the broker never restarted.
        """
        assert self._connection is not None
        marker = self._queue + ".alive"
        marks = 0

        def look(channel: Any) -> None:
            nonlocal marks
            channel.queue_declare(self._queue, passive=True)
            marks = channel.queue_declare(marker, passive=True).message_count

        kept = exists(self._connection, look) and marks > 0
        with self._connection.channel() as channel:
            limits = {"x-expires": arguments["x-expires"], "x-max-length": 1}
            channel.queue_declare(marker, durable=True, auto_delete=False, arguments=limits)
            if not marks:
                message = channel.prepare_message(b"alive", properties={"delivery_mode": 1})
                channel.basic_publish(message, exchange="", routing_key=marker)
        return kept

    def _receive(self, message: Any) -> None:
        body = message.body
        if isinstance(body, str):
            body = body.encode("utf-8", "surrogatepass")
        info = message.delivery_info
        content_type = message.properties.get("content_type", "application/json")
        self._messages.append(
            Message(body, content_type, tag=info["delivery_tag"], routing_key=info["routing_key"])
        )

    def read(self, timeout: float) -> list[Message]:
        messages, self._held = self._held, []
        messages += self._take(0.0 if messages else timeout)
        self._beat()
        return messages

    def _take(self, timeout: float) -> list[Message]:
        """What is there, or comes first within `timeout` seconds."""
        assert self._connection is not None
        try:
            self._connection.drain_events(timeout=timeout)
        except TimeoutError:
            pass  # nothing came
        messages, self._messages = self._messages, []
        return messages

    def _beat(self) -> None:
        """Once a second, send a heartbeat if one is due, and raise when the peer's have stayed away for long."""
        now = time.monotonic()
        if now >= self._next_beat:
            self._next_beat = now + 1.0
            self._wire.heartbeat_tick()

    def acknowledge(self, tag: int) -> None:
        self._channel.basic_ack(tag, multiple=True)

    def ping(self) -> bool:
        self._channel.queue_declare(self._queue, passive=True)
        return True

    def keep(self) -> None:
        now = time.monotonic()
        if now < self._next_beat:
            return
        wire = self._wire
        self._next_beat = now + (wire.heartbeat or _HEARTBEAT) / 4
        wire.send_heartbeat()
        for _ in range(self._trickle):
            self._held += self._take(0.0)

    def sever(self) -> None:
        if self._connection is not None:
            _shut(self._connection)

    def close(self) -> None:
        if self._connection is not None:
            try:
                self._connection.collect(socket_timeout=1.0)
            except self._connection.recoverable_connection_errors:
                pass  # closing a broken connection


class VirtualLine(Line):
    """kombu's consumer on a virtual transport (filesystem, memory and what else has fan-out)."""

    def __init__(self, app: Celery, settings: CollectorSettings) -> None:
        self._app = app
        self._settings = settings
        self._messages: list[Message] = []
        self._connection: Connection | None = None

    def open(self) -> None:
        self._connection = connect(self._app, self._settings)
        exchange = event_exchange(self._app, self._connection)
        channel: Any = self._connection.channel()
        queue = Queue(
            queue_name(self._app, self._settings),
            exchange=exchange,
            routing_key="#",
            auto_delete=True,
            durable=False,
        )
        consumer = self._connection.Consumer(
            queues=[queue],
            channel=channel,
            no_ack=True,
            on_message=self._receive,
            accept=None,
        )
        consumer.consume()

    def _receive(self, message: Any) -> None:
        body = message.body
        if isinstance(body, str):
            body = body.encode("utf-8", "surrogatepass")
        routing_key = (message.delivery_info or {}).get("routing_key") or ""
        content_type = message.content_type or "application/json"
        self._messages.append(Message(body, content_type, routing_key=routing_key))

    def read(self, timeout: float) -> list[Message]:
        assert self._connection is not None
        try:
            self._connection.drain_events(timeout=timeout)
        except TimeoutError:
            pass  # nothing came
        messages, self._messages = self._messages, []
        return messages

    def acknowledge(self, tag: int) -> None:
        """Virtual transports keep nothing after delivery."""

    def ping(self) -> bool:
        # nothing of its own can be asked: a transport that raises nothing is as alive as can be told
        return True

    def keep(self) -> None:
        """A virtual transport watches nobody."""

    def sever(self) -> None:
        """A virtual transport has no socket of its own to shut."""

    def close(self) -> None:
        if self._connection is not None:
            self._connection.release()


def queue_arguments(settings: CollectorSettings) -> dict[str, Any]:
    """The arguments of our queue on RabbitMQ: it goes when we stay away, and is bounded while we are slow."""
    return {
        "x-expires": int(settings.queue_expires * 1000),
        "x-max-length-bytes": settings.queue_max_bytes,
    }


def queue_name(app: Celery, settings: CollectorSettings) -> str:
    """`celeryev.umbel.<store id>-<hash of arguments>`.

    The prefix is for access rules; the hash avoids PRECONDITION_FAILED when another version declares otherwise.
    """
    arguments = repr(sorted(queue_arguments(settings).items())).encode()
    prefix = app.conf.event_queue_prefix or "celeryev"
    return f"{prefix}.umbel.{settings.store_id}-{hashlib.sha256(arguments).hexdigest()[:8]}"


def exists(connection: Connection, look: Any) -> bool:
    """Whether `look(channel)`, a passive declaration, is answered; on a channel of its own, which a refusal closes."""
    channel = connection.channel()
    try:
        look(channel)
    except connection.channel_errors as error:
        # 405: it exists and is exclusively someone else's; 403: not ours to look at, but workers will have made it
        return getattr(error, "reply_code", 0) in (405, 403)
    else:
        channel.close()
        return True


def _shut(connection: Connection) -> None:
    transport = getattr(connection._connection, "transport", None)
    raw = getattr(transport, "sock", None)
    if raw is not None:
        try:
            # not SSLSocket's own, after which py-amqp fails to close the socket
            socket.socket.shutdown(raw, socket.SHUT_RDWR)
        except OSError:
            pass  # it was closed already
