"""Which finished tasks a history lets go of, and in what steps. The engine-independent half of `prune`.

`Limits` come from the configuration; `excess` decides how many of the oldest finished tasks must go.
"""

from collections.abc import Mapping
from math import ceil

import msgspec

#: How long time buckets of a minute and of an hour are kept, in seconds; those of a day stay. The pages show a day of
#: minutes and 30 days of hours; more of each of a thousand workers would take most of the room that tasks have.
BUCKET_AGES = {60: 48 * 3600, 3600: 90 * 86400}
ROLLUP_AGES = {"task": BUCKET_AGES, "worker": {60: 26 * 3600, 3600: 32 * 86400}}
#: The share of the bytes that the history may take from which on it is told that time buckets fill it.
CROWDED = 0.5
#: Seconds that a feed row is kept: a page that was away longer asks for everything again.
FEED_AGE = 3600
#: Seconds that a queue is remembered after it was last seen.
QUEUE_AGE = 30 * 86400
#: Seconds that a sender's totals are kept after it was last heard of, at least.
SENDER_AGE = 30 * 86400


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a history may grow to. None sets no bound; waiting and running tasks are never taken."""

    #: Seconds since a task's last change.
    age: float | None = 30 * 86400
    #: Rows, open ones included.
    tasks: int | None = None
    #: Bytes that the file uses.
    bytes: int | None = 10 * 1000**3


def sender_age(limits: Limits) -> float | None:
    """Seconds that a sender's totals are kept after it was last heard of: as long as its tasks, where that is longer.
    None for ever, where only bytes bound the tasks."""
    if limits.age is not None:
        return max(limits.age, SENDER_AGE)
    return None if limits.tasks is None else SENDER_AGE


class Holdings(msgspec.Struct, frozen=True, kw_only=True):
    """What a history holds now."""

    tasks: int
    #: Finished tasks that are older than the limit of age.
    aged: int
    bytes: int


class Extent(msgspec.Struct, frozen=True, kw_only=True):
    """How far a history goes."""

    tasks: int
    #: On disk.
    bytes: int
    #: Finished tasks whose last change was before it may be gone, epoch seconds UTC; None while none is.
    since: float | None


class Pruned(msgspec.Struct, frozen=True):
    """What retention took, or would take in a dry run."""

    tasks: int
    #: The tasks' even share of the file: an estimate.
    bytes: int


def excess(limits: Limits, holdings: Holdings) -> int:
    """How many of the oldest finished tasks must go, as far as there are as many, so that every limit holds.

    Age, count and bytes all take the oldest first, so the largest of the three numbers satisfies them all.
    Bytes are shared evenly among the rows: rows differ, so a file comes under its limit in a few runs.
    """
    surplus = holdings.aged
    if limits.tasks is not None:
        surplus = max(surplus, holdings.tasks - limits.tasks)
    if limits.bytes is not None and holdings.bytes > limits.bytes:
        surplus = max(surplus, ceil((holdings.bytes - limits.bytes) / bytes_per_task(holdings)))
    return surplus


def tell_crowded(limits: Limits, made: Mapping[tuple[str, int], float]) -> list[str]:
    """Sentences for people about what leaves tasks little room.

    Args:
        made: Kind and span of time buckets -> bytes of them that an hour makes now.
    """
    if limits.bytes is None:
        return []
    need = sum(size * ROLLUP_AGES[kind][span] / 3600 for (kind, span), size in made.items())
    if need < CROWDED * limits.bytes:
        return []
    shares = f"about {need / 1e6:,.1f} MB of the {limits.bytes / 1e6:,.1f} MB that the history may take"
    return [f"Graphs of workers and task names will need {shares}, tasks get the rest: raise --max-bytes."]


def bytes_per_task(holdings: Holdings) -> float:
    """The share of the file that one task takes."""
    return holdings.bytes / max(1, holdings.tasks)
