"""Queues of kombu's other transports: the number of waiting messages where asking for it changes nothing.

Of many transports kombu can't tell a length without making the queue (SQS, SQLAlchemy) or without a library that need
not be there; of those nothing is told, and the reason is.
"""

from collections.abc import Collection
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError

from umbel.brokers.base import BrokerInspector, Capabilities, QueueFigures, Reading
from umbel.errors import BrokerUnavailable, NotSupported

#: kombu's driver types whose channel counts a queue without making or changing anything.
COUNTABLE = frozenset({"filesystem", "memory"})


class VirtualInspector(BrokerInspector):
    """Counts through the channel's own way, one queue after another."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(messages=True, ready=True, purge=True)

    def fetch_queues(self, names: Collection[str]) -> Reading:
        counts = self._with_channel(
            lambda channel: {name: int(channel._size(name)) for name in sorted(names)}
        )
        queues = [QueueFigures(name=name, messages=count, ready=count) for name, count in counts.items()]
        return Reading(queues=queues)

    def fetch_names(self) -> set[str]:
        return set()

    def fetch_lengths(self, names: Collection[str]) -> list[dict[str, Any]]:
        return [{"name": queue.name, "messages": queue.messages} for queue in self.fetch_queues(names).queues]

    def purge(self, name: str) -> int:
        return int(self._with_channel(lambda channel: channel.queue_purge(name)))

    def _with_channel(self, ask: Any) -> Any:
        connection = self._app.connection_for_read()
        errors = (
            OperationalError,
            OSError,
            ValueError,
            *connection.connection_errors,
            *connection.channel_errors,
        )
        try:
            with connection, connection.channel() as channel:
                return ask(channel)
        except errors as exc:
            raise BrokerUnavailable(" ".join(str(exc).split()) or type(exc).__name__) from exc


class SilentInspector(BrokerInspector):
    """For a broker whose queues can't be read: every column is unsupported, with the reason."""

    def __init__(self, driver: str) -> None:
        self._reason = f"Umbel can't read the queues of a broker of type {driver} without changing them."

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()

    def fetch_queues(self, names: Collection[str]) -> Reading:
        return Reading(
            queues=[QueueFigures(name=name) for name in sorted(set(names))], problems=[self._reason]
        )

    def fetch_names(self) -> set[str]:
        return set()

    def fetch_lengths(self, names: Collection[str]) -> list[dict[str, Any]]:
        raise NotSupported(self._reason)
