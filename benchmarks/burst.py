"""A prebuilt burst of events for one Redis: sent at once, so that the sender costs next to nothing.

Counts what it sends, so that whoever received it can be held to the last event.
"""

import random
import socket
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.event_stream import Event, Message, encode_publish

#: Bytes handed to the kernel at a time.
PIECE = 1 << 20


@dataclass(slots=True)
class Burst:
    """Encoded messages with a count of the events in them by type."""

    commands: list[bytes] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    #: The last task event in it.
    last: Event = field(default_factory=dict)

    @property
    def events(self) -> int:
        """All events, heartbeats included."""
        return self.counts.total()


def build_burst(messages: Iterator[Message], events: int) -> Burst:
    """Take at least `events` events from `messages`, up to and with one of a task."""
    burst = Burst()
    chance = random.Random(7)
    while burst.events < events or not burst.last:
        message = next(messages)
        burst.commands.append(encode_publish(message, uuid.UUID(int=chance.getrandbits(128), version=4)))
        burst.counts.update(event["type"] for event in message.events)
        if message.routing_key.startswith("task."):
            burst.last = message.events[-1]
    return burst


def send_burst(burst: Burst, port: int) -> None:
    """Publish the whole burst to Redis on loopback; return when Redis has executed every command."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall(b"CLIENT REPLY OFF\r\n")
        piece = bytearray()
        for command in burst.commands:
            piece += command
            if len(piece) >= PIECE:
                connection.sendall(piece)
                piece.clear()
        connection.sendall(piece + b"CLIENT REPLY ON\r\n")
        answer = connection.recv(64)
    if not answer.startswith(b"+OK"):
        raise ConnectionError(f"Redis answered {answer!r}")
