"""A `threading.Event` for one waiting thread: a wait that ends by its time costs half, which is what an idle collector
does most. Used by `ingest.buffer` and `ingest.parent`.
"""

import threading


class Bell:
    """Set or not; any thread, or a signal handler, sets it, and one thread waits and clears."""

    def __init__(self) -> None:
        #: Held while the bell is not set.
        self._gate = threading.Lock()
        self._gate.acquire()

    def is_set(self) -> bool:
        return not self._gate.locked()

    def set(self) -> None:
        try:
            self._gate.release()
        except RuntimeError:
            pass  # it was set

    def clear(self) -> None:
        self._gate.acquire(blocking=False)

    def wait(self, timeout: float) -> bool:
        """Wait until it is set, for at most `timeout` seconds; True when it is."""
        if not self._gate.acquire(timeout=max(0.0, timeout)):
            return False
        self.set()
        return True
