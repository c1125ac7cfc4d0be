"""What proves that a connection lives, and how far behind its events are: told by probes, traffic and pings.

Pure: every time is an argument, epoch seconds of our own clock. Kept by `ingest.kombu_source`, one for each connection.
"""

from collections import deque

import msgspec

#: In this order: the first that is fresh is what proof rests on.
KINDS = ("probe", "traffic", "ping")

#: Seconds that a probe may be under way without saying that we are behind.
NOTICEABLE = 1.0


class Probe(msgspec.Struct, gc=False):
    """What we read of a probe."""

    token: str
    hostname: str
    #: When it was sent.
    timestamp: float


def read_probe(body: bytes) -> Probe | None:
    """The probe in this body; None when it is none, for anybody can publish by our routing key."""
    try:
        return msgspec.json.decode(body, type=Probe)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


class Proof:
    """The proofs of one connection. Fed by the threads that read and that probe, asked by any."""

    def __init__(self, begun: float, *, fresh: float) -> None:
        self._begun = begun
        self._fresh = fresh
        #: Kind -> when; 0.0: never. (All keys from the start: threads change and read it at once.)
        self._at = dict.fromkeys(KINDS, 0.0)
        #: When the probes were sent that were not read yet.
        self._under_way: deque[float] = deque()
        #: How long the newest probe that was read had been under way.
        self._delay = 0.0

    def note_sent(self, now: float) -> None:
        """A probe is sent; called before, for it may be back at once."""
        self._under_way.append(now)

    def withdraw(self, sent: float) -> None:
        """Nobody knows whether this probe was sent: don't wait for it."""
        try:
            self._under_way.remove(sent)
        except (ValueError, IndexError):
            pass  # it was, and is back

    def note_read(self, probe: Probe, now: float, *, ours: bool) -> None:
        """A probe of this history was read, of this connection (`ours`) or of one before it."""
        self._delay = max(0.0, now - probe.timestamp)
        if ours:
            self._at["probe"] = now
            while self._under_way and self._under_way[0] <= probe.timestamp:
                self._under_way.popleft()

    def note(self, kind: str, now: float) -> None:
        """Proof of another kind: a message of anybody's ("traffic"), or an answer of the broker's ("ping")."""
        self._at[kind] = now

    def set_back(self, now: float) -> None:
        """Our clock was set back: what was noted ahead of it counts as of now."""
        self._begun = min(self._begun, now)
        for kind, at in self._at.items():
            self._at[kind] = min(at, now)
        # whether they come back in time can't be told any more
        self._under_way.clear()

    @property
    def at(self) -> float | None:
        """When there was proof last; None before the first."""
        return max(self._at.values()) or None

    @property
    def silent_since(self) -> float:
        """The last sign of life, or the beginning."""
        return max(self._begun, *self._at.values())

    def kind(self, now: float) -> str:
        """What proof rests on."""
        fresh = [kind for kind in KINDS if now - self._at[kind] < self._fresh]
        return fresh[0] if fresh else max(KINDS, key=self._at.__getitem__)

    def behind(self, now: float) -> float:
        """For how many seconds, at least, what is read now has waited at the broker; 0.0 when that is not noticeable.

        The newest probe that was read says how far behind reading was then; the oldest that was not, how far at least
        it is now.
        """
        try:
            waiting = now - self._under_way[0]
        except IndexError:
            waiting = 0.0
        behind = max(self._delay, waiting)
        return behind if behind >= NOTICEABLE else 0.0
