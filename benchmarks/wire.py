"""How kombu puts an event message on the wire of Redis and of RabbitMQ, written out beforehand and sent at once.

A burst that is only bytes costs its sender next to nothing, so that what is measured is the receiver.
"""

import base64
import json
import socket
import struct
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

import amqp
from amqp.serialization import dumps

from benchmarks.event_stream import Message

EXCHANGE = "celeryev"
#: Bytes handed to the kernel at a time.
PIECE = 1 << 20
#: The largest frame: what RabbitMQ proposes and py-amqp accepts.
FRAME_MAX = 131_072


def encode_body(message: Message) -> bytes:
    """Return the JSON that Celery makes of a message: a list only where it is sent as one."""
    listed = message.routing_key.endswith(".multi")
    return json.dumps(message.events if listed else message.events[0]).encode()


def encode_redis(message: Message, tag: uuid.UUID, database: int = 0) -> bytes:
    """Return the PUBLISH with which kombu sends `message` through Redis."""
    properties = {
        "delivery_mode": 1,
        "delivery_info": {"exchange": EXCHANGE, "routing_key": message.routing_key},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": str(tag),
    }
    envelope = {
        "body": base64.b64encode(encode_body(message)).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"hostname": message.hostname},
        "properties": properties,
    }
    parts = (
        b"PUBLISH",
        f"/{database}.{EXCHANGE}/{message.routing_key}".encode(),
        json.dumps(envelope).encode(),
    )
    return b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def encode_rabbitmq(message: Message, channel: int = 1) -> bytes:
    """Return the three frames with which py-amqp publishes `message` through RabbitMQ: method, header, body."""
    body = encode_body(message)
    if len(body) > FRAME_MAX - 8:
        raise ValueError(f"a body of {len(body)} bytes needs more than one frame")
    publish = struct.pack(">HH", 60, 40) + dumps("Bssbb", [0, EXCHANGE, message.routing_key, False, False])
    content = amqp.Message(
        content_type="application/json",
        content_encoding="utf-8",
        application_headers={"hostname": message.hostname},
        delivery_mode=1,
        priority=0,
    )
    header = struct.pack(">HxxQ", 60, len(body)) + content._serialize_properties()
    frames = ((1, publish), (2, header), (3, body))
    return b"".join(
        struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce" for kind, payload in frames
    )


class Sender(ABC):
    """One connection to a broker of a benchmark, over which prepared bytes go."""

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Hand whole messages to the broker; waits while the broker takes no more."""

    @abstractmethod
    def finish(self) -> None:
        """Return when the broker has executed all that was sent, and close."""

    def send_all(self, pieces: Iterable[bytes]) -> None:
        """Send everything as fast as it is taken, then `finish`."""
        gathered = bytearray()
        for piece in pieces:
            gathered += piece
            if len(gathered) >= PIECE:
                self.send(bytes(gathered))
                gathered.clear()
        self.send(bytes(gathered))
        self.finish()


class RedisSender(Sender):
    """Publishes without reading answers, until the last one."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 6379), timeout=300)
        # nothing answers, so small messages would wait for one another
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(b"CLIENT REPLY OFF\r\n")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def finish(self) -> None:
        self._socket.sendall(b"CLIENT REPLY ON\r\n")
        answer = self._socket.recv(64)
        self._socket.close()
        if not answer.startswith(b"+OK"):
            raise ConnectionError(f"Redis answered {answer!r}")


class RabbitSender(Sender):
    """Publishes on the first channel of a connection that py-amqp has opened."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = amqp.Connection(
            f"{parts.hostname}:{parts.port}",
            unquote(parts.username or "guest"),
            unquote(parts.password or "guest"),
            virtual_host=unquote(parts.path[1:]) or "/",
            heartbeat=0,
        )
        self._connection.connect()
        self._channel: Any = self._connection.channel()
        self._declare()
        self._socket: socket.socket = self._connection.transport.sock
        self._socket.settimeout(None)
        # py-amqp lets go of a connection that takes nothing for a second, which RabbitMQ does when it is full
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def finish(self) -> None:
        # a question on the same channel is answered after everything before it was routed
        self._declare()
        self._connection.close()

    def _declare(self) -> None:
        self._channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)


def connect(url: str) -> Sender:
    """Return a sender for the broker at `url`."""
    return RedisSender(url) if url.startswith("redis:") else RabbitSender(url)
