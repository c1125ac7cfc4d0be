"""The bounded buffer between the source's thread and the pipeline: overload is designed, counted and bounded in bytes.

From 90 % on heartbeats are refused, when it is full everything is; what a broker keeps for us is refused without being
counted, for it comes again. Used by `ingest.collector` and `ingest.pipeline`.
"""

import threading
from collections import deque
from collections.abc import Callable

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
    def half_full(self) -> bool:
        """Time to flush early."""
        return self._size * 2 >= self._limit

    def put(self, message: Message) -> bool:
        """Take a message; False when there is no room for it. From the source's thread; never waits."""
        cost = len(message.body) + _OVERHEAD
        size = self._size + cost
        if size * 10 > self._limit * 9 and self._messages:
            if size > self._limit:
                return self._refuse(message, "overload")
            if len(message.body) < _HEARTBEAT_SIZE and b'"worker-heartbeat"' in message.body:
                return self._refuse(message, "overload-heartbeat")
        with self._lock:
            self._messages.append(message)
            self._size += cost
        if not self._filled.is_set():
            self._filled.set()
        return True

    def _refuse(self, message: Message, cause: str) -> bool:
        if message.tag is not None:
            self._filled.set()
            return False
        now = self._clock()
        with self._lock:
            self._dropped[cause] = self._dropped.get(cause, 0) + max(1, message.body.count(b'"type"'))
            self._overload = [self._overload[0] if self._overload else now, now]
        return False

    def wait(self, timeout: float) -> bool:
        """Wait until something is there; True when it is."""
        return self._filled.wait(timeout)

    def take(self, limit: int) -> list[Message]:
        """At most `limit` of the oldest messages, which leave the buffer."""
        with self._lock:
            messages = self._messages
            taken = [messages.popleft() for _ in range(min(limit, len(messages)))]
            self._size -= sum(len(message.body) for message in taken) + _OVERHEAD * len(taken)
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
