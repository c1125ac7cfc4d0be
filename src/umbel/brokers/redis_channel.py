"""Channels of kombu's to Redis, of which one stays open from one reading to the next.

Most of what a reading of a few queues costs is the making of a connection, and an idle monitor reads for ever. A
connection that the server has closed meanwhile is noticed and made anew by redis-py before it is used.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError

from umbel.errors import BrokerUnavailable

#: Seconds after which a connection is made anew all the same: passwords, names and masters change.
LONGEST = 300.0
#: Seconds; a user's own transport options win.
_TIMEOUTS = {"socket_connect_timeout": 1, "socket_timeout": 2}
_NO_RETRY = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
    "retry_on_timeout": False,
}


class _Open:
    """A channel, and the connection that it belongs to."""

    def __init__(self, app: Celery, now: float) -> None:
        options = {**_TIMEOUTS, **app.conf.broker_transport_options, **_NO_RETRY}
        self.connection = app.connection_for_read(transport_options=options)
        self.until = now + LONGEST
        self.errors = (
            OperationalError,
            OSError,
            ValueError,
            *self.connection.connection_errors,
            *self.connection.channel_errors,
        )
        self.channel: Any = None

    def connect(self) -> Any:
        """The channel, made when it is first asked for."""
        if self.channel is None:
            self.channel = self.connection.transport.create_channel(self.connection.connection)
        return self.channel

    def close(self) -> None:
        """Close both; errors that this may bring are nobody's."""
        with suppress(*self.errors):
            if self.channel is not None:
                self.channel.close()
        with suppress(*self.errors):
            self.connection.release()


class Channels:
    """Lends one channel to each who asks at the same time. Thread-safe."""

    def __init__(self, app: Celery, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kept: _Open | None = None

    @contextmanager
    def lend(self) -> Iterator[Any]:
        """A channel that nobody else has; it is closed after any error.

        Raises:
            BrokerUnavailable: No connection, or an error of the broker's in the caller's block.
        """
        with self._lock:
            lent, self._kept = self._kept, None
        now = self._monotonic()
        if lent is not None and now >= lent.until:
            lent.close()
            lent = None
        lent = lent or _Open(self._app, now)
        try:
            yield lent.connect()
        except lent.errors as exc:
            lent.close()
            raise BrokerUnavailable(" ".join(str(exc).split()) or type(exc).__name__) from exc
        except BaseException:
            lent.close()
            raise
        with self._lock:
            lent, self._kept = self._kept, lent
        if lent is not None:  # somebody else's was given back meanwhile
            lent.close()

    def close(self) -> None:
        """Close what is kept."""
        with self._lock:
            kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()
