"""The contract of a broker inspector: what a kind of broker can tell of its queues, and what it can't.

Reads only; never declares, consumes or purges. Blocking: async callers use a thread. Made by `registry`.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any

import msgspec


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """Which columns of a queue this kind of broker knows. A screen leaves out what is False."""

    ready: bool = False
    unacked: bool = False
    consumers: bool = False
    idle_since: bool = False


class QueueDepth(msgspec.Struct, frozen=True, kw_only=True):
    """One queue now. None: this broker can't tell."""

    name: str
    #: Ready and unacknowledged together where both are known, else what lies in the queue.
    messages: int
    ready: int | None = None
    unacked: int | None = None
    consumers: int | None = None
    #: As the broker words it.
    idle_since: str | None = None
    #: The broker's own description of the queue, for Flower's `/api/queues/length`.
    raw: dict[str, Any] = msgspec.field(default_factory=dict)


class BrokerInspector(ABC):
    """Reads the queues of one broker."""

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities: ...

    @abstractmethod
    def fetch_queues(self, names: Collection[str]) -> list[QueueDepth]:
        """The queues of these names in the broker's order; one that does not exist is left out, or has 0
        messages where the broker can't tell the difference.

        Raises:
            BrokerUnavailable: No usable answer within a few seconds.
        """
