"""The contract of an event source: raw messages out of a broker, with proof that the line is alive.

A source owns its connection and its threads. It never decodes, folds or stores, and is never held up by who does.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from enum import StrEnum

import msgspec


class Message(msgspec.Struct, gc=False, array_like=True):
    """One broker message: one event or a list of up to 24 (`task.multi`)."""

    body: bytes
    #: MIME type as declared by the sender, "application/json" as a rule.
    content_type: str
    #: Receipt time, epoch seconds UTC; the source sets it.
    received_at: float = 0.0
    #: What `Source.acknowledge` takes once the message is stored; None where the broker keeps nothing. (A line gives
    #: the broker's own delivery tag here, which the source makes unique among its connections.)
    tag: int | None = None
    #: As the sender gave it: "worker.heartbeat", "task.multi", …
    routing_key: str = ""


class SourceState(StrEnum):
    """Whether events can come in, as far as is proved."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    #: Connected, but nothing has proved for longer than `proof_timeout` that events come through.
    BLIND = "blind"
    STOPPED = "stopped"


class SourceHealth(msgspec.Struct, frozen=True):
    """How the line to the broker is. Epoch seconds UTC."""

    state: SourceState
    #: When events were last proved to come through, or to be held back by ourselves only.
    proof_at: float | None
    #: What that rests on: "probe" (our own came back) | "traffic" (anybody's event did) | "ping" (the broker answered).
    proof: str
    error: str
    reconnects: int
    #: First proof of life of the present connection, or the first one after a time without any for `proof_timeout`.
    connected_at: float | None = None
    #: The broker had kept our queue, and all events in it, since the connection before (of this process or another).
    kept: bool = False
    #: Seconds, at least, that what is read now has waited at the broker; 0.0 when nothing worth telling.
    behind: float = 0.0


class Outage(msgspec.Struct, frozen=True):
    """A time in which events may have been missed, from the last proof of life to the next."""

    start: float
    end: float
    cause: str
    #: False where the broker kept our queue and everything in it.
    lossy: bool
    detail: str


class Presence(msgspec.Struct, frozen=True):
    """Which silent workers the broker still sees. `known` False: this broker can't tell."""

    known: bool
    #: Hostnames whose control subscription is there for certain.
    present: frozenset[str] = frozenset()
    #: Hostnames for which it is certainly gone.
    absent: frozenset[str] = frozenset()
    #: Where the broker only counts (Redis): the control subscriptions of all workers, and about whom it was asked.
    reached: int | None = None
    silent: frozenset[str] = frozenset()


#: Takes messages out of a source; see `Source.start`.
OnMessages = Callable[[Sequence[Message]], int]


class Source(ABC):
    """Reads Celery events from one broker for as long as it is asked to."""

    @abstractmethod
    def start(
        self,
        on_messages: OnMessages,
        on_outage: Callable[[Outage], None],
        *,
        on_change: Callable[[], None] = lambda: None,
        on_probe: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin in own threads; return at once. Reconnects for ever, backoff capped at 30 s and reset on success.

        `on_messages` is called from the source's thread, in the broker's order, and returns at once how many of the
        messages it has dealt with. The others, for which there is no room, the broker keeps for us: they are offered
        again. `on_outage` is called once per broken connection, when proof of life is back, `on_change` when a
        connection is proved or given up, and `on_probe` every few seconds while there is one: a good time to use it.
        """

    @abstractmethod
    def stop(self) -> None:
        """End the threads and close the connection; bounded by 5 s."""

    @abstractmethod
    def health(self) -> SourceHealth: ...

    @property
    @abstractmethod
    def proof_at(self) -> float | None:
        """The same as in `health`."""

    @abstractmethod
    def acknowledge(self, tag: int) -> None:
        """Everything up to `tag` is stored. From any thread."""

    @abstractmethod
    def enable_events(self) -> None:
        """Broadcast `enable_events` to all workers, no reply asked for. Raises SourceError."""

    @abstractmethod
    def call_heartbeats(self, hostnames: Collection[str] | None = None) -> None:
        """Ask workers (all, or these) to send a heartbeat event now: a ping whose answer is an event, so that no
        reply queue is needed. Raises SourceError."""

    @abstractmethod
    def fetch_presence(self, silent: Collection[str]) -> Presence:
        """What the broker knows of `silent` workers' control subscriptions. Raises SourceError."""
