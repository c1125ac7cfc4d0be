"""The bounded buffer between the source's thread and the pipeline: overload is designed, counted and bounded in bytes.

From 90 % on heartbeats are refused, when it is full everything is; what a broker keeps for us is refused without being
counted, for it comes again. Used by `ingest.collector` and `ingest.pipeline`.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from umbel.ingest.source import Message

#: What one message costs in memory beside its body.
_OVERHEAD = 200

#: No message with a heartbeat is larger; larger ones are not searched for the word.
_HEARTBEAT_SIZE = 1200


class Buffer:
    """Messages in the order in which they came, at most `limit` bytes."""

    def __init__(self, limit: int, *, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._messages: deque[Message] = deque()
        self._lock = threading.Lock()
        self._filled = threading.Event()
        self._size = 0
        self._dropped: dict[str, int] = {}
        self._overload: list[float] = []

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._size

    @property
    def dropped(self) -> dict[str, int]:
        """Cause -> events refused and lost."""
        return dict(self._dropped)

    @property
    def oldest(self) -> float | None:
        """Receipt of what has waited longest, epoch seconds UTC; None when nothing waits."""
        try:
            return self._messages[0].received_at
        except IndexError:
            return None

    @property
    def half_full(self) -> bool:
        """Time to flush early."""
        return self._size * 2 >= self._limit

    def put(self, messages: Sequence[Message]) -> int:
        """Take messages; return how many are dealt with, taken or dropped and counted. From the source's thread.

        Fewer than all were dealt with when there is no room for one that its broker keeps for us. Never waits.
        """
        size = self._size + _cost_of(messages)
        if size * 10 <= self._limit * 9 or not self._messages:
            self._extend(messages)
            return len(messages)
        for number, message in enumerate(messages):
            cause = self._refusal(message)
            if not cause:
                self._extend((message,))
            elif message.tag is not None:
                return number
            else:
                self._drop(message, cause)
        return len(messages)

    def _extend(self, messages: Sequence[Message]) -> None:
        with self._lock:
            self._messages.extend(messages)
            self._size += _cost_of(messages)
        if not self._filled.is_set():
            self._filled.set()

    def _refusal(self, message: Message) -> str:
        """Why there is no room for this message; "" where there is."""
        size = self._size + _cost_of((message,))
        if size * 10 <= self._limit * 9 or not self._messages:
            return ""
        if size > self._limit:
            return "overload"
        if len(message.body) < _HEARTBEAT_SIZE and b'"worker-heartbeat"' in message.body:
            return "overload-heartbeat"
        return ""

    def _drop(self, message: Message, cause: str) -> None:
        now = self._clock()
        with self._lock:
            self._dropped[cause] = self._dropped.get(cause, 0) + max(1, message.body.count(b'"type"'))
            self._overload = [self._overload[0] if self._overload else now, now]

    def wait(self, timeout: float) -> bool:
        """Wait until something is there; True when it is."""
        return self._filled.wait(timeout)

    def take(self, limit: int) -> list[Message]:
        """At most `limit` of the oldest messages, which leave the buffer."""
        with self._lock:
            messages = self._messages
            taken = [messages.popleft() for _ in range(min(limit, len(messages)))]
            self._size -= _cost_of(taken)
            if not messages:
                self._filled.clear()
        return taken

    def take_overload(self, *, quiet: float) -> tuple[float, float] | None:
        """First and last refusal of an overload that has been over for `quiet` seconds; told once."""
        with self._lock:
            if not self._overload or self._clock() - self._overload[1] < quiet:
                return None
            start, end = self._overload
            self._overload = []
            return start, end


def _cost_of(messages: Sequence[Message]) -> int:
    return sum([len(message.body) for message in messages]) + _OVERHEAD * len(messages)
