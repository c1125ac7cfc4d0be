"""The contract of a line: one connection to a broker that delivers raw events until it breaks.

`ingest.kombu_source` opens one line after another and judges whether each is alive; a line neither retries nor
reconnects. All methods but `sever` are called from the one thread that reads.
"""

import select
import socket
import time
from abc import ABC, abstractmethod
from typing import Any

from celery import Celery
from celery.events.event import get_exchange
from kombu import Connection, Exchange

from umbel.ingest.settings import CollectorSettings
from umbel.ingest.source import Message

#: Routing key of the empty message with which a line hands over the answer to its `ping`.
PONG = "umbel.pong"


#: Seconds for which messages that come in one by one gather at the socket: a reading of ten costs little more than one.
GATHER = 0.02
#: Messages further apart than so many seconds don't gather: nobody follows.
SPARSE = 1.0


class Line(ABC):
    """One connection that reads events."""

    #: The broker had kept our queue, and all events in it, since the last line to it.
    kept = False
    #: How long one `read` may wait, seconds: acknowledgements wait for its end.
    look_up = 0.1
    #: The same while nothing is to be acknowledged or asked: a line that a message or `sever` wakes can wait for long.
    rest = 0.1
    #: What is not as it should be but does not stop the line; sentences.
    notices: tuple[str, ...] = ()

    @abstractmethod
    def open(self) -> None:
        """Connect and subscribe. Raises what kombu or its drivers raise."""

    @abstractmethod
    def read(self, timeout: float) -> list[Message]:
        """What is there, or comes first within `timeout` seconds; nothing when the time is over.

        Some hundred messages at most, so that a turn is short; `received_at` is left to the caller.
        """

    @abstractmethod
    def acknowledge(self, tag: int) -> None:
        """Everything up to `tag` is stored."""

    @abstractmethod
    def ping(self) -> bool:
        """Ask for a sign of life without publishing; True when it has come, False when `read` may bring it (PONG)."""

    @abstractmethod
    def keep(self) -> None:
        """Tell the broker that we are there while nothing is read."""

    @abstractmethod
    def sever(self) -> None:
        """Shut the socket so that a thread blocked in `read` returns. From any thread."""

    @abstractmethod
    def close(self) -> None:
        """Close politely; never raises."""


class Gathering:
    """Readings of one socket, spaced while they bring little each; in a burst, and in silence, they are not."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._ready = select.poll()
        self._ready.register(wire, select.POLLIN)
        #: The last reading brought something soon after the one before, and more may be about to come.
        self._flows = False
        self._brought_at = -SPARSE

    def note(self, *, brought: bool) -> None:
        """To be called after each reading: whether it brought something."""
        self._flows = False
        if brought:
            now = time.monotonic()
            self._flows = now - self._brought_at < SPARSE
            self._brought_at = now

    def rest(self) -> None:
        """To be called before each reading."""
        if self._flows and not self._has_more():
            time.sleep(GATHER)

    def _has_more(self) -> bool:
        # what a TLS socket has decrypted already does not show from outside
        return bool(getattr(self._wire, "pending", int)()) or bool(self._ready.poll(0))


def connect(app: Celery, settings: CollectorSettings, *, heartbeat: int = 0) -> Connection:
    """A new, unopened connection with time limits wherever the user set none."""
    connection: Connection = app.connection_for_read(heartbeat=heartbeat)
    options: dict[str, Any] = dict(connection.transport_options or {})
    driver = connection.transport.driver_type
    if driver == "redis":
        # a stopped server accepts connections and then says nothing
        _default(options, "socket_timeout", settings.proof_timeout)
        _default(options, "socket_connect_timeout", 5.0)
    elif driver == "amqp":
        _default(options, "read_timeout", settings.proof_timeout)
        _default(options, "write_timeout", settings.proof_timeout)
    connection.transport_options = options
    connection.connect_timeout = min(connection.connect_timeout or 5, 5)
    return connection


def _default(options: dict[str, Any], key: str, value: object) -> None:
    if options.get(key) is None:
        options[key] = value


def event_exchange(app: Celery, connection: Connection) -> Exchange:
    """The exchange that workers publish events to, declared as Celery declares it."""
    exchange: Exchange = get_exchange(connection, name=app.conf.event_exchange)
    type_ = app.conf.get("event_exchange_type")
    if type_ and connection.transport.driver_type == "amqp":
        exchange.type = type_
    return exchange
