"""A worker that takes no tasks though it could, as `control.stalls` finds it."""

import msgspec


class Stall(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that takes no tasks though it could."""

    worker: str
    queue: str
    #: Epoch seconds UTC: nothing was started since, and the queue was never seen empty.
    since: float
    #: One sentence.
    evidence: str
