"""How long tasks waited until they were started, as a histogram of its own wide buckets. Pure."""

from typing import Literal

from umbel.model.task import Task

#: Since when a wait is counted: since the task was sent, or since a worker received it where the former is not known.
Basis = Literal["sent", "received"]

#: Upper bounds of the buckets in seconds, without the infinite one: from a moment to a day.
WAIT_BOUNDS = (
    0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0,
)  # fmt: skip
#: Seconds that a worker's clock may be off for its start to be compared with another clock's time of sending.
MOST_SKEW = 1.0


def wait_of(before: Task | None, after: Task, skew: float | None) -> tuple[Basis, float] | None:
    """What this step of a task adds: the wait of a start that is new; None where there is none, where it waited on
    purpose, and where the clocks contradict each other.

    Args:
        skew: Seconds that the worker's clock is ahead of ours; None while that is not known.
    """
    started = after.started
    if started is None or after.eta or (before is not None and before.started == started):
        return None
    # a later attempt was not sent when the task was
    if after.sent is not None and after.attempts <= 1 and (skew is None or abs(skew) <= MOST_SKEW):
        basis, since = "sent", after.sent
    elif after.received is not None:
        basis, since = "received", after.received
    else:
        return None
    return (basis, started - since) if started >= since else None  # type: ignore[return-value]
