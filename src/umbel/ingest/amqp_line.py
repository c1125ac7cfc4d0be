"""A line to RabbitMQ: py-amqp connects, logs in, declares and consumes; deliveries are then read from its socket.

TLS, login methods, heartbeats and all frames but those of deliveries stay py-amqp's; skipped are its and kombu's layers
for each message, which cost ten times as much. Where py-amqp is not built as expected, kombu's way is taken.
"""

import logging
from typing import Any

import amqp
from amqp import spec
from amqp.exceptions import error_for_code
from amqp.serialization import loads
from celery import Celery

from umbel.ingest.amqp_frames import METHOD, Deliveries
from umbel.ingest.kombu_line import KombuAmqpLine
from umbel.ingest.line import PONG, Gathering
from umbel.ingest.settings import CollectorSettings
from umbel.ingest.source import Message

_log = logging.getLogger("umbel.ingest.source")

#: Bytes read in one turn: some hundred messages.
_CHUNK = 256 * 1024


class AmqpLine(KombuAmqpLine):
    """The same queue as kombu's line has, read without a layer for each message."""

    def __init__(self, app: Celery, settings: CollectorSettings) -> None:
        super().__init__(app, settings)
        self._deliveries: Deliveries | None = None
        self._gathering: Gathering | None = None

    def open(self) -> None:
        super().open()
        wire = self._wire
        if not is_as_expected(wire):
            _log.warning(
                "py-amqp %s is not built as expected: events are read the slow way.", amqp.__version__
            )
            return
        self._deliveries = Deliveries(
            self._channel.channel_id,
            self._hear,
            frame_max=wire.frame_max,
            body_max=self._settings.max_message + 1,
        )
        self._trickle = 4
        self._gathering = Gathering(wire.transport.sock)
        # what py-amqp has read ahead
        ahead, wire.transport._read_buffer = wire.transport._read_buffer, b""
        self._held += self._deliveries.feed(ahead)

    def _take(self, timeout: float) -> list[Message]:
        if self._deliveries is None or self._gathering is None:
            return super()._take(timeout)
        self._gathering.rest()
        wire = self._wire
        try:
            # a TLS socket gives what it has decrypted already, so no select() beside it
            with wire.transport.having_timeout(timeout) as raw:
                data = raw.recv(_CHUNK)
        except TimeoutError:
            self._gathering.note(brought=False)
            return []
        self._gathering.note(brought=True)
        if not data:
            raise ConnectionError("RabbitMQ closed the connection")
        wire.bytes_recv += 1  # by which py-amqp knows that the peer lives
        return self._deliveries.feed(data)

    def _hear(self, kind: int, channel: int, payload: bytes) -> Message | None:
        """Let py-amqp deal with what is no delivery, but for two methods after which it would read the socket."""
        if kind == METHOD and channel == self._channel.channel_id:
            method = (int.from_bytes(payload[:2]), int.from_bytes(payload[2:4]))
            if method == spec.Queue.DeclareOk:
                return Message(b"", "", routing_key=PONG)
            if method == spec.Channel.Close:
                (code, reason, *cause), _ = loads("BsBB", payload, 4)
                raise error_for_code(code, reason, tuple(cause), amqp.ChannelError)
        self._wire.on_inbound_frame((kind, channel, payload))
        return None

    def ping(self) -> bool:
        if self._deliveries is None:
            return super().ping()
        # passive; the answer comes in its turn among the deliveries
        arguments: tuple[Any, ...] = (0, self._queue, True, False, False, False, False, {})
        self._channel.send_method(spec.Queue.Declare, "BsbbbbbF", arguments)
        return False


def is_as_expected(wire: Any) -> bool:
    """Whether this connection has what we reach into: versions of py-amqp to come may be built otherwise."""
    transport = getattr(wire, "transport", None)
    return (
        isinstance(wire, amqp.Connection)
        and isinstance(getattr(transport, "_read_buffer", None), bytes)
        and hasattr(getattr(transport, "sock", None), "recv")
        and callable(getattr(transport, "having_timeout", None))
        and callable(getattr(wire, "on_inbound_frame", None))
        and isinstance(wire.frame_max, int)
        and isinstance(wire.bytes_recv, int)
    )
