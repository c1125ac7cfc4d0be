"""A queue as the history remembers it: its name, when something last showed that it is there, its figures over time."""

import msgspec

#: Bytes of the longest name that AMQP allows; longer ones are no queues.
LONGEST_NAME = 255


class KnownQueue(msgspec.Struct, frozen=True):
    """A queue's name with the times, epoch seconds UTC, at which it was first and last seen; the latter to an hour."""

    name: str
    first_seen: float
    last_seen: float


#: What of a queue is kept over time: the fields of `QueueSample` and of `QueueBucket`.
FIGURES = ("messages", "unacked", "consumers", "oldest")


class QueueSample(msgspec.Struct, frozen=True, array_like=True):
    """A queue's figures at one moment; None is not known, and never 0."""

    queue: str
    #: Epoch seconds UTC.
    time: float
    #: Seconds for which these figures stand: since the last sample. What a mean weighs them by.
    seconds: float
    #: Ready and unacknowledged where that is known, else what is ready.
    messages: int | None = None
    unacked: int | None = None
    consumers: int | None = None
    #: Seconds that the oldest waiting message waits, at least.
    oldest: float | None = None


class Spread(msgspec.Struct, frozen=True):
    """One figure within a time bucket."""

    last: float
    min: float
    max: float
    #: Weighed by time.
    mean: float


class QueueBucket(msgspec.Struct, frozen=True, kw_only=True):
    """A queue within a time bucket; a figure of which nothing was known then is None."""

    queue: str
    #: Epoch seconds UTC, a multiple of the bucket's width.
    start: int
    messages: Spread | None
    unacked: Spread | None
    consumers: Spread | None
    oldest: Spread | None
