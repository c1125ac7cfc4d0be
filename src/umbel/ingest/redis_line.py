"""A line to Redis or Valkey: kombu makes the connection and names the channels, hiredis reads the subscription.

TLS, Sentinel, credentials and time-outs are redis-py's; its layers for each message are skipped, and kombu's too, whose
work on a message (virtual queues, two JSON decodings) is ten times what all the rest of the pipeline costs. Without
hiredis redis-py's own parser reads. Nothing is declared, so nothing of ours is left behind in Redis.
"""

import socket
from typing import Any, Protocol

import msgspec
from celery import Celery
from kombu import Connection

from umbel.ingest.line import PONG, Gathering, Line, connect
from umbel.ingest.settings import CollectorSettings
from umbel.ingest.source import Message

#: Bytes read in one turn: some hundred messages.
_CHUNK = 256 * 1024
#: Bytes given to hiredis at once: it moves what is left of them to the front after each reply.
_PIECE = 16 * 1024

#: Routing keys remembered: Celery has about a dozen.
_KEYS = 1_000

#: Replies that redis-py's parser reads in one turn.
_BURST = 500

#: Content type given to what is not an envelope of kombu's, so that decoding counts it as such.
NOT_AN_ENVELOPE = "application/x-not-an-envelope"


class _Properties(msgspec.Struct, gc=False):
    body_encoding: str | None = None


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


class _Replies(Protocol):
    """Reads replies of Redis from an open connection."""

    def read(self, timeout: float) -> list[Any]:
        """What is there, or comes first within `timeout` seconds."""


class HiredisReplies:
    """Whatever the socket holds, parsed in C without a call for each reply's parts."""

    def __init__(self, connection: Any) -> None:
        import hiredis

        self._socket: socket.socket = connection._sock
        self._gathering = Gathering(self._socket)
        self._reader = hiredis.Reader()
        self._space: Any = bytearray(_CHUNK)  # feed() takes any buffer, whatever its stub says

    def read(self, timeout: float) -> list[Any]:
        self._gathering.rest()
        self._socket.settimeout(timeout)
        try:
            size = self._socket.recv_into(self._space)
        except TimeoutError:
            self._gathering.note(brought=False)
            return []
        self._gathering.note(brought=True)
        if size == 0:
            raise ConnectionError("Redis closed the connection")
        reader, space = self._reader, self._space
        replies = []
        for start in range(0, size, _PIECE):
            reader.feed(space, start, min(_PIECE, size - start))
            while (reply := reader.gets()) is not False:
                replies.append(reply)
        return replies


class RedisPyReplies:
    """redis-py's own parser. Not PubSub.parse_response: it would reconnect on its own and hide the gap."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        pushed = str(getattr(connection, "protocol", 2)) == "3"
        self._options = {"push_request": True} if pushed else {}

    def read(self, timeout: float) -> list[Any]:
        replies: list[Any] = []
        connection = self._connection
        while len(replies) < _BURST and connection.can_read(timeout=0.0 if replies else timeout):
            replies.append(connection.read_response(**self._options))
        return replies


class RedisLine(Line):
    """A pattern subscription to the event exchange's channels."""

    look_up = 1.0
    #: A little longer than our probes are apart.
    rest = 7.0

    def __init__(self, app: Celery, settings: CollectorSettings) -> None:
        self._app = app
        self._settings = settings
        self._connection: Connection | None = None
        self._wire: Any = None
        self._replies: _Replies | None = None
        #: Channel -> the routing key in it.
        self._keys: dict[bytes, str] = {}
        self._decode = msgspec.json.Decoder(_Envelope).decode
        self._decode_plain = msgspec.json.Decoder(_PlainEnvelope).decode

    def open(self) -> None:
        self._connection = connect(self._app, self._settings)
        channel: Any = self._connection.channel()
        topic = escaped(channel._get_publish_topic(self._app.conf.event_exchange, ""))
        subscription = channel.subclient
        if getattr(subscription, "global_keyprefix", ""):
            # kombu puts it in front of the pattern
            subscription.global_keyprefix = escaped(subscription.global_keyprefix)
        subscription.psubscribe(f"{topic}/*" if channel.fanout_patterns else topic)
        self._wire = subscription.connection
        try:
            self._replies = HiredisReplies(self._wire)
        except ImportError:  # it comes with the extra `redis`, but not with celery[redis]
            self._replies = RedisPyReplies(self._wire)

    def read(self, timeout: float) -> list[Message]:
        if self._wire._sock is None or self._replies is None:
            raise ConnectionError("the connection to Redis was closed")
        messages = []
        for reply in self._replies.read(timeout):
            if isinstance(reply, Exception):
                raise reply
            kind = reply[0] if isinstance(reply, list) else reply
            if kind == b"pmessage":
                messages.append(self._message_of(reply[2], reply[3]))
            elif kind == b"pong" or kind == b"PONG":
                messages.append(Message(b"", "", routing_key=PONG))
        return messages

    def _message_of(self, channel: bytes, data: bytes) -> Message:
        routing_key = self._keys.get(channel) or self._key_of(channel)
        try:
            envelope = self._decode(data)
            if envelope.properties.body_encoding == "base64":
                return Message(envelope.body, envelope.content_type, 0.0, None, routing_key)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            pass  # it is no base64, or nothing at all
        try:
            plain = self._decode_plain(data)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return Message(data, NOT_AN_ENVELOPE)
        body = plain.body.encode("utf-8", "surrogatepass")
        return Message(body, plain.content_type, routing_key=routing_key)

    def _key_of(self, channel: bytes) -> str:
        if len(self._keys) >= _KEYS:
            self._keys.clear()
        routing_key = channel[channel.rfind(b"/") + 1 :].decode("utf-8", "replace")
        self._keys[channel] = routing_key
        return routing_key

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


def escaped(text: str) -> str:
    """`text` as a pattern of Redis that means itself."""
    return "".join(f"\\{letter}" if letter in "*?[]\\^-" else letter for letter in text)
