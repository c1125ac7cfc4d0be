"""Intervals in which events may have been missed, as they begin and end, into the history.

Lives in the pipeline's thread; told by the source's thread of outages that are over. Used by `ingest.collector`.
"""

import threading

from umbel.ingest.buffer import Buffer
from umbel.ingest.source import Outage, SourceHealth, SourceState
from umbel.store.base import Gap, HistoryWriter

#: An overload is over when nothing was refused for this many seconds.
QUIET = 2.0


class GapBook:
    """Opens and closes gaps. Everything that writes raises StoreUnavailable and is tried again next time."""

    def __init__(self, store: HistoryWriter, buffer: Buffer) -> None:
        self._store = store
        self._buffer = buffer
        self._lock = threading.Lock()
        self._outages: list[Outage] = []
        #: Gaps of a former collector, and that of its absence, which end with our first proof of life.
        self._inherited: list[int] = []
        #: The gap of the present outage.
        self._open: int | None = None
        self._was_connected = False

    def inherit(self, now: float) -> None:
        """Open the gap since a former collector was last alive, unless an open one tells of that time already."""
        last_alive = self._store.fetch_last_alive()
        self._inherited = [gap.id for gap in self._store.fetch_open_gaps()]
        if last_alive is not None:
            self._inherited.append(
                self._store.open_gap(Gap(start=min(last_alive, now), end=None, cause="monitor-down"))
            )

    def note_outage(self, outage: Outage) -> None:
        """The source's connection was down and is back. From any thread."""
        with self._lock:
            self._outages.append(outage)

    def write(self, health: SourceHealth, *, store_failed: bool) -> None:
        """Record what has begun or ended since the last call."""
        if health.connected_at is not None:
            while self._inherited:
                self._store.close_gap(self._inherited[-1], health.connected_at, lossy=not health.kept)
                self._inherited.pop()
        self._write_outages(health)
        overload = self._buffer.take_overload(quiet=QUIET)
        if overload is not None:
            cause = "store-full" if store_failed else "overload"
            self._store.open_gap(Gap(start=overload[0], end=overload[1], cause=cause))

    def _write_outages(self, health: SourceHealth) -> None:
        connected = health.state is SourceState.CONNECTED
        if self._was_connected and not connected and self._open is None and health.proof_at is not None:
            gap = Gap(start=health.proof_at, end=None, cause="broker-lost", detail=health.error)
            self._open = self._store.open_gap(gap)
        self._was_connected = connected
        while self._outages:
            outage = self._outages[0]
            if self._open is not None:
                self._store.close_gap(self._open, outage.end, lossy=outage.lossy)
                self._open = None
            else:
                self._store.open_gap(
                    Gap(
                        start=outage.start,
                        end=outage.end,
                        cause=outage.cause,
                        lossy=outage.lossy,
                        detail=outage.detail,
                    )
                )
            with self._lock:
                self._outages.pop(0)
        if connected and self._open is not None:
            # the same connection spoke again after a silence: nothing says that it lost anything
            self._store.close_gap(self._open, health.proof_at or 0.0, lossy=False)
            self._open = None
