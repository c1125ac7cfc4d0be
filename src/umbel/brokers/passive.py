"""What AMQP itself tells of a queue: a passive declaration answers with its ready messages and consumers.

For RabbitMQ without its management API, and for other brokers that speak AMQP 0-9-1. Changes nothing.
"""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import amqp
from celery import Celery
from kombu.exceptions import OperationalError

from umbel.brokers.base import QueueFigures
from umbel.errors import BrokerUnavailable, NoSuchQueue

#: Seconds for a connection, for one answer, and for all queues together.
CONNECT_TIMEOUT = 2.0
READ_TIMEOUT = 3.0
TIME = 5.0

_NOT_FOUND = 404


class PassiveDeclarer:
    """Asks about one queue after another on a connection that is closed again."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def fetch_queues(self, names: Collection[str]) -> list[QueueFigures]:
        """Queues by name; one that may not be looked at, or that time was too short for, is unknown.

        Raises:
            BrokerUnavailable: The broker can't be reached.
        """
        with self._connected() as connection:
            until = time.monotonic() + TIME
            asker = _Asker(connection)
            return [
                asker.ask(name) if time.monotonic() < until else QueueFigures(name=name)
                for name in sorted(set(names))
            ]

    def purge(self, name: str) -> int:
        """Throw away the ready messages of a queue; return how many they were."""
        with self._connected() as connection:
            try:
                return int(connection.channel().queue_purge(name))
            except amqp.NotFound as exc:
                raise NoSuchQueue(f"The broker has no queue {name}.") from exc

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        options = {
            "read_timeout": READ_TIMEOUT,
            "write_timeout": READ_TIMEOUT,
            **(self._app.conf.broker_transport_options or {}),
        }
        kombu = self._app.connection_for_read(
            connect_timeout=CONNECT_TIMEOUT, heartbeat=0, transport_options=options
        )
        errors = (OperationalError, OSError, *kombu.connection_errors, *kombu.channel_errors)
        try:
            # through the pool of hosts that the URL names, each tried once
            kombu.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
            yield kombu.connection
        except errors as exc:
            raise BrokerUnavailable(" ".join(str(exc).split()) or type(exc).__name__) from exc
        finally:
            with suppress(*errors):
                kombu.release()


class _Asker:
    """A refused question costs its channel: the next one gets a new channel."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._channel: Any = None

    def ask(self, name: str) -> QueueFigures:
        if self._channel is None or not self._channel.is_open:
            self._channel = self._connection.channel()
        try:
            answer = self._channel.queue_declare(name, passive=True)
        except amqp.ChannelError as exc:
            self._channel = None
            if exc.reply_code == _NOT_FOUND:
                return QueueFigures(name=name, exists=False, messages=0, ready=0, unacked=0, consumers=0)
            return QueueFigures(name=name, exists=True)
        return QueueFigures(
            name=name,
            exists=True,
            messages=answer.message_count,
            ready=answer.message_count,
            consumers=answer.consumer_count,
        )
