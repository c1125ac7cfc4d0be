"""How long messages wait and queues rest, as far as that can be known: a task message carries no time of its own."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Literal

import msgspec

from umbel.brokers.base import QueueFigures

#: Task ids that are remembered for their age.
MOST_IDS = 100_000
#: Seconds between two readings beyond which nothing can be said of the time between them.
LONGEST_PAUSE = 60.0


class Age(msgspec.Struct, frozen=True):
    """How long a message waits."""

    seconds: float
    #: "sent": since its task-sent event. "first-seen": at least so long, for it was seen then.
    basis: Literal["sent", "first-seen"]


class FirstSeen:
    """When each task's message was first seen in a queue. Bounded: the oldest entries go. Not thread-safe."""

    def __init__(self, most: int = MOST_IDS) -> None:
        self._most = most
        self._times: dict[str, float] = {}

    def ages(self, uuids: Iterable[str], sent: Mapping[str, float], now: float) -> dict[str, Age]:
        """The age of each of these messages, which are there now; without those of which nothing is known yet."""
        found: dict[str, Age] = {}
        for uuid in uuids:
            first = self._times.setdefault(uuid, now)
            if uuid in sent and sent[uuid] <= now:
                found[uuid] = Age(now - sent[uuid], "sent")
            elif first < now:
                found[uuid] = Age(now - first, "first-seen")
        while len(self._times) > self._most:
            del self._times[next(iter(self._times))]
        return found


def oldest_of(uuids: Collection[str], ages: Mapping[str, Age]) -> tuple[str, Age] | None:
    """Which of these messages waits longest, and how long: at least, where one of them may wait longer."""
    known = [(ages[uuid].seconds, uuid) for uuid in uuids if uuid in ages]
    if not known:
        return None
    seconds, uuid = max(known)
    sure = all(uuid in ages and ages[uuid].basis == "sent" for uuid in uuids)
    return uuid, Age(seconds, "sent" if sure else "first-seen")


class Rest:
    """Since when nothing moved in a queue, as the readings show. Not thread-safe."""

    def __init__(self) -> None:
        #: Queue -> (what it looked like, since when, when it was last seen so).
        self._seen: dict[str, tuple[tuple[object, ...], float, float]] = {}

    def note(
        self, queues: Iterable[QueueFigures], received: Callable[[str], object], now: float
    ) -> dict[str, float]:
        """Queue -> epoch seconds since when it was seen unchanged; queues that just moved are left out.

        `received` tells of a queue's name how many tasks its consumers have received, from whatever queue: what comes
        and goes between two readings shows there alone. None where that is not known.
        """
        seen, self._seen = self._seen, {}
        resting: dict[str, float] = {}
        for queue in queues:
            passed = received(queue.name)
            if queue.messages is None or passed is None:
                continue
            look = (queue.messages, queue.ready, queue.oldest, passed)
            before = seen.get(queue.name)
            since = now
            if before is not None and before[0] == look and now - before[2] <= LONGEST_PAUSE:
                since = before[1]
            self._seen[queue.name] = (look, since, now)
            if since < now:
                resting[queue.name] = since
        return resting
