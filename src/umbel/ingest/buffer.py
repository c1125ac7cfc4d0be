"""The bounded buffer between the source's thread and the pipeline: overload is designed, counted and bounded in bytes.

What a broker keeps for us is refused when there is no room, without being counted, for it comes again. The rest goes
to disk; when that is full too, heartbeats go first, then the texts of most tasks, then whatever comes. Used by the
collector and its pipeline.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from umbel.ingest.bell import Bell
from umbel.ingest.source import Message
from umbel.ingest.spool import Spool
from umbel.ingest.thin import count_events, sender_of, thin

#: What one message costs in memory beside its body.
_OVERHEAD = 200

#: Shares of the limit from which on: heartbeats are thinned out, texts are shed; and what workers say of themselves is
#: refused (the tasks' events at 1).
_NO_BEATS, _NO_TEXTS, _NO_WORKERS = 0.75, 0.9, 1.05

#: Of each worker one heartbeat in so many seconds is kept however full it is: no worker may count as silent, which it
#: does after 9 s, because we are slow.
BEAT_EVERY = 5.0
#: Workers remembered for that.
_SENDERS = 20_000

#: Bytes after which no more are taken at once: what was taken is kept until it is stored.
TAKEN_BYTES = 32_000_000

#: Seconds without a message that mean that a burst is over, and as many bytes held as mean that there was one: about
#: 8,000 events. With less than FEW_BYTES within the first pause there is none, and nobody wakes for the next ones.
BURST_PAUSE, BURST_BYTES, FEW_BYTES = 0.05, 5_000_000, 100_000

HEARTBEAT = "worker.heartbeat"


class Buffer:
    """Messages in the order in which they came, at most `limit` bytes, and a twentieth more of workers' own events.

    `spool` takes what memory has no room for and no broker keeps.
    """

    def __init__(self, limit: int, *, clock: Callable[[], float], spool: Spool | None = None) -> None:
        self._limit = limit
        self._spool = spool
        #: No message on disk was received before.
        self._spooled_since = 0.0
        self._clock = clock
        self._messages: deque[Message] = deque()
        self._lock = threading.Lock()
        self._filled = Bell()
        self._half = Bell()
        self._size = 0
        self._dropped: dict[str, int] = {}
        self._overload: list[float] = []
        #: Worker -> when a heartbeat of it was let through last.
        self._beats: dict[bytes, float] = {}

    @property
    def size(self) -> int:
        """Bytes held, in memory and on disk."""
        return self._size + (0 if self._spool is None else self._spool.size)

    @property
    def dropped(self) -> dict[str, int]:
        """Cause -> events refused and lost, or kept without their texts ("overload-detail")."""
        return dict(self._dropped)

    @property
    def oldest(self) -> float | None:
        """Receipt of what has waited longest, epoch seconds UTC; None when nothing waits."""
        try:
            return self._messages[0].received_at
        except IndexError:
            return self._spooled_since if self.size else None

    @property
    def half_full(self) -> bool:
        """Time to flush early."""
        return self.size * 2 >= self._limit

    def put(self, messages: Sequence[Message]) -> int:
        """Take messages; return how many are dealt with, taken or dropped and counted. From the source's thread.

        Fewer than all were dealt with when there is no room for one that its broker keeps for us. Never waits.
        """
        if self.size == self._size and self._size + _cost_of(messages) <= self._limit * _NO_BEATS:
            self._extend(messages)
            return len(messages)
        if self._put_aside(messages):
            return len(messages)
        kept: list[Message] = []
        size = self._size
        dealt = 0
        for message in messages:
            fill = (size + len(message.body) + _OVERHEAD) / self._limit
            if size == 0 or fill <= _NO_BEATS:
                taken: Message | None = message
            elif message.tag is not None:
                if fill > 1:
                    break
                taken = message
            else:
                taken = self._squeeze(message, fill)
            dealt += 1
            if taken is not None:
                kept.append(taken)
                size += len(taken.body) + _OVERHEAD
        self._extend(kept)
        return dealt

    def _extend(self, messages: Sequence[Message]) -> None:
        if not messages:
            return
        with self._lock:
            self._messages.extend(messages)
            self._size += _cost_of(messages)
        self._tell(messages)

    def _tell(self, messages: Sequence[Message]) -> None:
        """Wake who waits for these messages, which are in."""
        if not self._filled.is_set() and (
            self.half_full or any(is_pressing(message) for message in messages)
        ):
            self._filled.set()
        if self.half_full and not self._half.is_set():
            self._half.set()

    def _put_aside(self, messages: Sequence[Message]) -> bool:
        """Put messages on disk, unless their broker keeps them or there is no room."""
        if self._spool is None or not messages or messages[0].tag is not None:
            return False
        with self._lock:
            if not self._spool.size:
                self._spooled_since = messages[0].received_at
            taken = self._spool.put(messages)
        if taken:
            self._tell(messages)
        return taken

    def _squeeze(self, message: Message, fill: float) -> Message | None:
        """What of this message finds room in a buffer that would be filled to `fill` with it; None when nothing."""
        if message.routing_key == HEARTBEAT and not self._is_beat_due(message):
            self._count("overload-heartbeat", count_events(message.body))
            return None
        if message.routing_key[:7] == "worker.":
            # rare, small, and all that tells which workers live
            if fill <= _NO_WORKERS:
                return message
        elif fill <= _NO_TEXTS:
            return message
        elif fill <= 1:
            body, shed = thin(message.body, message.content_type)
            if shed:
                message.body = body
                self._count("overload-detail", shed)
            return message
        self._count("overload", count_events(message.body))
        return None

    def _is_beat_due(self, message: Message) -> bool:
        beats, sender = self._beats, sender_of(message.body)
        if abs(message.received_at - beats.get(sender, 0.0)) < BEAT_EVERY:
            return False
        if len(beats) >= _SENDERS:
            beats.clear()
        beats[sender] = message.received_at
        return True

    def _count(self, cause: str, events: int) -> None:
        now = self._clock()
        with self._lock:
            self._dropped[cause] = self._dropped.get(cause, 0) + events
            self._overload = [self._overload[0] if self._overload else now, now]

    def wait(self, timeout: float) -> bool:
        """Wait until something is there that presses, or somebody wakes; True when one of both was so."""
        return self._filled.wait(timeout)

    def gather(self, timeout: float, *, burst: bool) -> None:
        """Wait until the buffer is half full, or somebody wakes, or the time is over; or until nothing has come for
        BURST_PAUSE, in a `burst` or with as much here as makes one. From the thread that takes."""
        until = time.monotonic() + timeout
        pause = BURST_PAUSE
        while (left := until - time.monotonic()) > 0:
            before = self._size
            if self._half.wait(min(left, pause)):
                return
            if self._size == before and (burst or before >= BURST_BYTES):
                return
            if self._size < FEW_BYTES and not burst:
                pause = timeout

    def wake(self) -> None:
        """End a `wait` with nothing there. From any thread, or a signal handler."""
        self._filled.set()
        self._half.set()

    def take(self, limit: int) -> list[Message]:
        """About `limit` of the oldest messages, and about TAKEN_BYTES at most; they leave the buffer."""
        with self._lock:
            messages = self._messages
            taken: list[Message] = []
            size = 0
            while messages and len(taken) < limit and size < TAKEN_BYTES:
                message = messages.popleft()
                taken.append(message)
                size += len(message.body) + _OVERHEAD
            self._size -= size
            if self._spool is not None:
                while self._spool.size and len(taken) < limit and size < TAKEN_BYTES:
                    batch = self._spool.take()
                    taken += batch
                    size += _cost_of(batch)
                    self._spooled_since = batch[-1].received_at
            if not self.size:
                self._filled.clear()
            if not self.half_full:
                self._half.clear()
        return taken

    def close(self) -> None:
        """Let what is on disk go."""
        if self._spool is not None:
            self._spool.close()

    def take_overload(self, *, quiet: float) -> tuple[float, float] | None:
        """First and last refusal of an overload that has been over for `quiet` seconds; told once."""
        with self._lock:
            if not self._overload or abs(self._clock() - self._overload[1]) < quiet:
                return None
            start, end = self._overload
            self._overload = []
            return start, end


def is_pressing(message: Message) -> bool:
    """Whether somebody may wait for this to be stored. Heartbeats change next to nothing that is shown, and come all
    the time, and nobody waits for our own probes: they go with the next message that presses, or after a second."""
    key = message.routing_key
    return key != HEARTBEAT and (key[:6] != "umbel." or message.tag is not None)


def _cost_of(messages: Sequence[Message]) -> int:
    return sum([len(message.body) for message in messages]) + _OVERHEAD * len(messages)
