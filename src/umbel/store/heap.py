"""glibc's heap. Used by whoever took much memory for a while: `ingest.memory`, `store.writer_process`, `web.large`."""

import ctypes
from collections.abc import Callable


def find_trim() -> Callable[[], None]:
    """A way to give every free page back to the system; other C libraries do so by themselves."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return lambda: None

    def give_back() -> None:
        trim(0)

    return give_back
