"""A queue as the history remembers it: its name, and when something last showed that it is there."""

import msgspec

#: Bytes of the longest name that AMQP allows; longer ones are no queues.
LONGEST_NAME = 255


class KnownQueue(msgspec.Struct, frozen=True):
    """A queue's name with the times, epoch seconds UTC, at which it was first and last seen; the latter to an hour."""

    name: str
    first_seen: float
    last_seen: float
