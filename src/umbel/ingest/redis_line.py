"""A line to Redis or Valkey: kombu makes the connection and names the channels, redis-py reads the subscription.

kombu's own consumer is skipped because its per-message work (virtual queues, two JSON decodings) is five times
what all the rest of the pipeline costs. Nothing is declared, so nothing of ours is left behind in Redis.
"""

import socket
from typing import Any

import msgspec
from celery import Celery
from kombu import Connection

from umbel.ingest.line import PONG, Deliver, Line, connect
from umbel.ingest.settings import CollectorSettings

#: Messages delivered before `read` returns although more are waiting.
_BURST = 500

#: Content type given to what is not an envelope of kombu's, so that decoding counts it as such.
NOT_AN_ENVELOPE = "application/x-not-an-envelope"


class _Delivery(msgspec.Struct, gc=False):
    routing_key: str = ""


class _Properties(msgspec.Struct, gc=False):
    body_encoding: str | None = None
    delivery_info: _Delivery | None = None


class _Envelope(msgspec.Struct, rename="kebab", gc=False):
    """kombu's virtual message. A `bytes` field makes msgspec undo the base64."""

    body: bytes
    content_type: str = "application/json"
    properties: _Properties = msgspec.field(default_factory=_Properties)


class _PlainEnvelope(msgspec.Struct, rename="kebab", gc=False):
    """The same where `body_encoding` is not base64."""

    body: str
    content_type: str = "application/json"
    properties: _Properties = msgspec.field(default_factory=_Properties)


class RedisLine(Line):
    """A pattern subscription to the event exchange's channels."""

    def __init__(self, app: Celery, settings: CollectorSettings, deliver: Deliver) -> None:
        self._app = app
        self._settings = settings
        self._deliver = deliver
        self._connection: Connection | None = None
        self._pubsub: Any = None
        self._wire: Any = None
        self._options: dict[str, bool] = {}
        self._decode = msgspec.json.Decoder(_Envelope).decode
        self._decode_plain = msgspec.json.Decoder(_PlainEnvelope).decode

    def open(self) -> None:
        self._connection = connect(self._app, self._settings)
        channel: Any = self._connection.channel()
        topic = channel._get_publish_topic(self._app.conf.event_exchange, "*")
        self._pubsub = channel.subclient
        self._pubsub.psubscribe(topic)
        self._wire = self._pubsub.connection
        if str(getattr(self._wire, "protocol", 2)) == "3":
            self._options = {"push_request": True}

    def read(self, timeout: float) -> None:
        # PubSub.parse_response would reconnect on its own and hide the gap
        wire = self._wire
        if wire._sock is None:
            raise ConnectionError("the connection to Redis was closed")
        for _ in range(_BURST):
            if not wire.can_read(timeout=timeout):
                return
            response = wire.read_response(disconnect_on_error=False, **self._options)
            if isinstance(response, Exception):
                raise response
            kind = response[0] if isinstance(response, list) else response
            if kind == b"pmessage":
                self._hand_over(response[3])
            elif kind == b"pong" or kind == b"PONG":
                self._deliver(b"", "", PONG, None)
            timeout = 0.0

    def _hand_over(self, data: bytes) -> None:
        try:
            envelope: _Envelope | _PlainEnvelope = self._decode(data)
            if envelope.properties.body_encoding != "base64":
                envelope = self._decode_plain(data)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            try:
                envelope = self._decode_plain(data)
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
                self._deliver(data, NOT_AN_ENVELOPE, "", None)
                return
        body = (
            envelope.body.encode("utf-8", "surrogatepass")
            if isinstance(envelope.body, str)
            else envelope.body
        )
        info = envelope.properties.delivery_info
        self._deliver(body, envelope.content_type, "" if info is None else info.routing_key, None)

    def acknowledge(self, tag: int) -> None:
        """Redis keeps nothing of a publication."""

    def ping(self) -> bool:
        self._wire.send_command("PING", check_health=False)
        return False

    def keep(self) -> None:
        """Redis watches nobody."""

    def sever(self) -> None:
        raw = getattr(self._wire, "_sock", None)
        if raw is not None:
            try:
                raw.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it was closed already, which is what we want

    def close(self) -> None:
        self.sever()
        if self._connection is not None:
            self._connection.release()
