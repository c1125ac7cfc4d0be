"""The contract of a broker inspector: what a kind of broker can tell of its queues, and what it can't.

Blocking: async callers use a thread. Reads never declare, consume or change anything; `purge` is the one act.
Made by `registry`, read through `control.queues`.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from umbel.errors import NotSupported


class Mark(StrEnum):
    """What is known of one column of a queue."""

    KNOWN = "known"
    #: This kind of broker tells it, but not now, or not to us.
    UNKNOWN = "unknown"
    #: This kind of broker can't tell it.
    UNSUPPORTED = "unsupported"


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What this kind of broker can tell. A screen leaves out what is False."""

    messages: bool = False
    ready: bool = False
    unacked: bool = False
    consumers: bool = False
    idle_since: bool = False
    #: The messages next to be taken, of which one waits longest.
    oldest: bool = False
    #: The broker can be asked for the names of its queues.
    names: bool = False
    #: Waiting messages can be looked at without taking them.
    peek: bool = False
    purge: bool = False


#: The columns of a queue's figures: the fields of `Capabilities` that are also fields of `QueueFigures`.
COLUMNS = ("messages", "ready", "unacked", "consumers", "idle_since", "oldest")


class QueueFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One queue now. None: not known, or not told by this kind of broker (`mark_of`)."""

    name: str
    #: False: the broker has no such queue. None: it can't tell that from an empty one.
    exists: bool | None = None
    #: Ready and unacknowledged together where both are known, else what lies in the queue.
    messages: int | None = None
    ready: int | None = None
    #: Handed to a worker and not yet acknowledged: running, prefetched, or waiting there for an ETA.
    unacked: int | None = None
    consumers: int | None = None
    #: Epoch seconds UTC.
    idle_since: float | None = None
    #: Ids of the tasks next to be taken, one for each priority, of which one waits longest; "" for a message that
    #: tells none. Empty: none waits.
    oldest: tuple[str, ...] | None = None
    #: Priority step -> ready messages; empty where the broker keeps one list for all.
    priorities: dict[int, int] = msgspec.field(default_factory=dict)
    #: Names of the queues that are summed up here (`celery_delayed_*`).
    folded: tuple[str, ...] = ()


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Every queue asked for, in order of name, and what could not be read as it should."""

    queues: list[QueueFigures]
    #: Sentences for people, without secrets.
    problems: list[str] = msgspec.field(default_factory=list)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message looked at in its queue. None: the message does not say, or can't be read."""

    #: 1 is the next to be taken; None for one that a worker holds.
    position: int | None = None
    task_id: str | None = None
    task: str | None = None
    #: As printed, not redacted yet.
    args: str | None = None
    kwargs: str | None = None
    #: As the message words it.
    eta: str | None = None
    expires: str | None = None
    retries: int | None = None
    priority: int | None = None
    root_id: str | None = None
    parent_id: str | None = None
    #: Who sent it.
    origin: str | None = None
    size: int
    #: When a worker was given it, epoch seconds UTC; None for one that waits.
    delivered: float | None = None
    #: The message broke the rules of Celery's protocol: why.
    unreadable: str | None = None


class Peek(msgspec.Struct, frozen=True, kw_only=True):
    """Some of a queue's messages in the order in which they will be taken."""

    messages: list[Message]
    #: How many there are in all.
    total: int
    #: The answer grew too large and ends before it should.
    cut: bool = False


class WholeMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message with its body as it was published: still encoded, and perhaps compressed."""

    content_type: str
    content_encoding: str
    headers: dict[str, Any]
    properties: dict[str, Any]
    body: bytes
    #: "" where nobody knows to which queue it belongs.
    queue: str
    #: A worker holds it; else it waits in the queue.
    held: bool


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a search for one task's message."""

    #: None: not among those that were looked at.
    message: WholeMessage | None
    looked_at: int
    #: All messages of the queues named, and all that workers hold, were looked at.
    complete: bool


class BrokerInspector(ABC):
    """Reads the queues of one broker."""

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities: ...

    @abstractmethod
    def fetch_queues(self, names: Collection[str]) -> Reading:
        """The queues of these names; what can't be told is None, with its reason in `problems`.

        Raises:
            BrokerUnavailable: Nothing could be read within a few seconds.
        """

    @abstractmethod
    def fetch_names(self) -> set[str]:
        """The queues that the broker itself knows, without those that Celery or kombu make for themselves.

        Raises:
            BrokerUnavailable: No usable answer within a few seconds.
        """

    @abstractmethod
    def fetch_lengths(self, names: Collection[str]) -> list[dict[str, Any]]:
        """The queues of these names as Flower's `/api/queues/length` shows them, in the broker's order.

        Raises:
            BrokerUnavailable: No usable answer within a few seconds.
        """

    def peek(self, name: str, *, offset: int = 0, limit: int = 50, unacked: bool = False) -> Peek:
        """Look at messages that wait in the queue, or that workers hold, without changing anything.

        Raises:
            BrokerUnavailable: No usable answer within a few seconds.
            NotSupported: This kind of broker can't show messages without taking them.
        """
        raise NotSupported(
            "This kind of broker can't show its messages without taking them out of the queue."
        )

    def find(self, task_id: str, names: Sequence[str]) -> Search:
        """Look for the message of a task in these queues and among those that workers hold, changing nothing. Ends
        after so many messages, bytes and seconds.

        Raises:
            BrokerUnavailable: No usable answer within a few seconds.
            NotSupported: This kind of broker can't show messages without taking them.
        """
        raise NotSupported(
            "This kind of broker can't show its messages without taking them out of the queue."
        )

    def purge(self, name: str) -> int:
        """Throw away every message that waits in the queue; return how many they were. Those that workers hold stay.

        Raises:
            BrokerUnavailable: No usable answer within a few seconds; nothing or all of it was done.
            NoSuchQueue: The broker has no queue of this name.
            NotSupported: This kind of broker can't be purged from here.
        """
        raise NotSupported("This kind of broker can't be purged from here.")

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Close what stays open between two questions; another question opens it again."""


def mark_of(column: str, figures: QueueFigures, capabilities: Capabilities) -> Mark:
    """What is known of one of `COLUMNS`."""
    if getattr(figures, column) is not None:
        return Mark.KNOWN
    return Mark.UNKNOWN if getattr(capabilities, column) else Mark.UNSUPPORTED
