"""An answer that takes long to make and is asked for often: whoever asks again at once gets the one just made, while
the next one is made behind it. Used by the worker table."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

#: Seconds for which an answer serves, and after which the next one is made when somebody asks.
SERVES, RENEWED = 0.25, 0.1


class Recent:
    """What `make` returns, at most `SERVES` seconds old. `make` runs in a thread of its own, one at a time.

    Asked from any event loop. Raises what `make` raises; whoever asks next has it made again.
    """

    def __init__(self, make: Callable[[], bytes], clock: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._clock = clock
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="umbel-recent")
        self._value = b""
        #: When the making of the value began.
        self._begun = float("-inf")
        self._making: Future[bytes] | None = None

    async def get(self) -> bytes:
        """The answer."""
        with self._lock:
            age = self._clock() - self._begun
            if self._making is None and age > RENEWED:
                self._making = self._pool.submit(self._make_next)
            making = self._making
            if making is None or age <= SERVES:
                return self._value
        # shielded: others may wait for the same one
        return await asyncio.shield(asyncio.wrap_future(making))

    def _make_next(self) -> bytes:
        begun = self._clock()
        try:
            value = self._make()
            with self._lock:
                self._value, self._begun = value, begun
        finally:
            with self._lock:
                self._making = None
        return value
