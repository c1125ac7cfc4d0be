"""What a collector says of itself: written into its history, sent to its parent, read by everybody who shows it."""

import msgspec

from umbel.model.stall import Stall

#: Seconds for which a status is believed.
BELIEVED = 10.0


def is_believed(status: "CollectorStatus", now: float) -> bool:
    """Whether a status is fresh at `now`, and not from before the clock was set back."""
    return abs(now - status.time) < BELIEVED


class CollectorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the collector says of itself, every few seconds; the base of readiness. Epoch seconds UTC."""

    pid: int
    #: When this was written.
    time: float
    started: float
    #: "connecting" | "connected" | "blind" (no proof of life) | "stopped" | "standby" (another process writes here)
    state: str
    #: Broker URL without password.
    broker: str = ""
    #: When the last own probe came back (or other proof of life, see `proof`).
    proof_at: float | None = None
    #: "probe" | "traffic" | "ping": what `proof_at` rests on.
    proof: str = "probe"
    last_event_at: float | None = None
    #: Why it is not connected or cannot store; "" when all is well.
    error: str = ""
    events: int = 0
    #: cause -> events dropped on purpose (overload) or unreadable messages.
    dropped: dict[str, int] = msgspec.field(default_factory=dict)
    malformed: dict[str, int] = msgspec.field(default_factory=dict)
    buffered_bytes: int = 0
    #: Seconds from an event's arrival at the broker to its commit, as far as known: how far behind what is shown is.
    lag: float = 0.0
    reconnects: int = 0
    #: The last feed row written with events or workers, 0 before the first: while it stays, so do the workers' rows.
    feed: int = 0
    #: The last write failed (disk full, locked): what was received since cannot be kept for ever.
    store_error: str = ""
    #: Warnings to show, each a sentence that says what to do.
    notices: list[str] = msgspec.field(default_factory=list)
    #: Workers that take no tasks though they could, as the server that runs this collector found them.
    stalls: list[Stall] = msgspec.field(default_factory=list)
