"""The wire types of `/api/v1/queues`, as `schema` has those of the rest."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from umbel.brokers.base import Mark


class QueueColumns(msgspec.Struct, kw_only=True):
    """What is known of each column: "unknown" is not told now, "unsupported" is never told by this kind of broker."""

    messages: Mark
    ready: Mark
    unacked: Mark
    consumers: Mark
    idle_since: Mark
    oldest: Mark


class PriorityCount(msgspec.Struct, kw_only=True):
    """Ready messages of one priority step."""

    priority: int
    ready: int


class QueueOut(msgspec.Struct, kw_only=True):
    """A queue now. Null is not known, or not told by this kind of broker: `columns` says which."""

    name: str
    #: Ready and unacked together where both are known, else what lies in the queue.
    messages: int | None
    #: Waiting for a worker.
    ready: int | None
    #: Handed to a worker and not acknowledged: running, prefetched, or waiting there for an ETA.
    unacked: int | None
    consumers: int | None
    #: Since when nothing has moved in the queue; null also for one that is in use.
    idle_since: float | None
    #: "broker": its own word. "observed": no change was seen since, while somebody looked.
    idle_basis: Literal["broker", "observed"] | None
    #: Task id of the message that waits longest; null also where none waits.
    oldest_task: str | None
    #: How long it waits, in seconds.
    oldest_age: float | None
    #: "sent": since its task-sent event. "first-seen": at least so long, for it was seen then.
    oldest_basis: Literal["sent", "first-seen"] | None
    #: Redis only: the lists that the queue is made of, those with messages.
    priorities: list[PriorityCount]
    #: Names of the queues that are summed up here.
    folded: list[str]
    #: false: the broker has no such queue; null: it can't tell that from an empty one.
    exists: bool | None
    #: Where the queue is known from; "history" includes task-sent events.
    known_from: list[Literal["worker", "config", "broker", "history"]]
    columns: QueueColumns


class QueueCapabilities(msgspec.Struct, kw_only=True):
    """What can be known and done on this kind of broker."""

    messages: bool
    ready: bool
    unacked: bool
    consumers: bool
    idle_since: bool
    oldest: bool
    #: Waiting messages can be looked at.
    peek: bool
    #: What waits can be thrown away.
    purge: bool


class QueueList(msgspec.Struct, kw_only=True):
    """Every queue that is known, by name."""

    items: list[QueueOut]
    #: Broker URL without password.
    broker: str
    #: Kind of broker: "redis", "amqp", …
    driver: str
    capabilities: QueueCapabilities
    #: Why something is missing, each a sentence; empty when all is well.
    problems: list[str]
    #: When the figures were read.
    time: float


class QueueDetail(QueueOut, kw_only=True):
    """One queue."""

    capabilities: QueueCapabilities
    problems: list[str]
    time: float


class SpreadOut(msgspec.Struct, kw_only=True):
    """One figure within a time bucket."""

    last: float
    min: float
    max: float
    #: Weighed by time.
    mean: float


class QueueRollupOut(msgspec.Struct, kw_only=True):
    """A queue within a time bucket. Null: nothing was known of that then; it was not 0."""

    queue: str
    start: int
    #: Ready and unacked where both are known, else what is ready.
    messages: SpreadOut | None
    unacked: SpreadOut | None
    consumers: SpreadOut | None
    #: Seconds that the oldest waiting message waits, at least.
    oldest: SpreadOut | None


class QueueRollupList(msgspec.Struct, kw_only=True):
    """Time buckets, oldest first. In a time without buckets nothing was sampled."""

    #: Bucket width in seconds.
    span: int
    items: list[QueueRollupOut]


class MessageOut(msgspec.Struct, kw_only=True):
    """A message in a queue. Null is not told by the message."""

    #: 1 is the next to be taken; null for one that a worker holds.
    position: int | None
    task_id: str | None
    task: str | None
    #: As printed, cut, and redacted as events are.
    args: str | None
    kwargs: str | None
    eta: str | None
    expires: str | None
    retries: int | None
    priority: int | None
    root_id: str | None
    parent_id: str | None
    origin: str | None
    #: Bytes.
    size: int
    #: When a worker was given it; null for one that waits.
    delivered: float | None
    #: Seconds since it was sent; null while nothing is known of that.
    age: float | None
    #: "sent": since its task-sent event. "first-seen": at least so long, for it was seen then.
    age_basis: Literal["sent", "first-seen"] | None
    #: Why the message can't be read; null where it can.
    unreadable: str | None


class MessageList(msgspec.Struct, kw_only=True):
    """Messages of a queue in the order in which they will be taken."""

    queue: str
    items: list[MessageOut]
    #: null where this kind of broker can't show messages.
    total: int | None
    #: The answer grew too large and ends before it should.
    cut: bool
    #: Why nothing can be shown; null where something can.
    reason: str | None
    time: float


class Purge(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What waits in a queue is to be thrown away, for ever."""

    confirm: Annotated[str, Meta(description="The queue's name once more, so that it is no accident.")]


class PurgeOut(msgspec.Struct, kw_only=True):
    """A queue was purged. What workers hold (running, prefetched, or waiting there for an ETA) is not touched."""

    #: Of its row in the audit.
    id: int
    queue: str
    #: Messages that were thrown away.
    removed: int
    time: float
