"""Asks the cluster, at intervals, what events do not tell: enables events, calls the roll, looks for silent workers.

Runs in a thread of its own because each question may wait for a broker that does not answer; what it learns is fetched
by the pipeline's thread. Started by `ingest.collector`.
"""

import logging
import threading
from collections.abc import Callable

from umbel.errors import SourceError
from umbel.ingest.due import is_due
from umbel.ingest.settings import CollectorSettings
from umbel.ingest.source import Presence, Source

_log = logging.getLogger("umbel.ingest.watch")

#: Seconds between looks at silent workers.
INTERVAL = 5.0
#: Seconds between roll calls of all workers.
ROLL_CALL = 60.0


class Watch:
    """Asks about the workers it is told of, for as long as the source is connected."""

    def __init__(self, source: Source, settings: CollectorSettings, *, clock: Callable[[], float]) -> None:
        self._source = source
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._silent: list[str] = []
        self._to_call: list[str] = []
        self._found: list[tuple[Presence, float]] = []
        self._stopped = threading.Event()
        #: There is something else to do than before.
        self._told = threading.Event()
        self._thread: threading.Thread | None = None
        self._connected_at: float | None = None
        self._seen_connection: float | None = None
        self._next_roll_call = 0.0
        self._next_enable = 0.0
        self._next_look = 0.0

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="umbel-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._told.set()

    def set_connection(self, connected_at: float | None) -> None:
        """Since when the source is connected: a new connection is a reason to ask at once."""
        if connected_at != self._connected_at:
            self._connected_at = connected_at
            self._told.set()

    def set_workers(self, *, silent: list[str], to_call: list[str]) -> None:
        """The silent ones, and those who should be asked for a heartbeat."""
        with self._lock:
            if not (self._silent or self._to_call) and (silent or to_call):
                self._told.set()
            self._silent, self._to_call = silent, to_call

    def take_presence(self) -> list[tuple[Presence, float]]:
        """What the broker said since the last call, with the time at which it was asked."""
        with self._lock:
            found, self._found = self._found, []
        return found

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._told.wait(self._time_to_next())
            self._told.clear()
            try:
                self._look()
            except SourceError as error:
                _log.debug("Could not ask the workers: %s", error)
                self._stopped.wait(1.0)
            except Exception:  # a service loop: log and go on
                _log.exception("Asking about the workers failed.")
                self._stopped.wait(INTERVAL)

    def _time_to_next(self) -> float:
        """Seconds until there is something to do, unless somebody tells before."""
        if self._source.health().connected_at is None:
            return INTERVAL
        due = self._next_look if self._silent or self._to_call else self._next_roll_call
        # never long, for our clock may be set back
        return min(max(0.05, min(due, self._next_roll_call) - self._clock()), ROLL_CALL)

    def note_probe(self) -> None:
        """The source has just used its connection: what is to be said again and again goes with that."""
        now = self._clock()
        every = self._settings.enable_events_interval
        if not self._settings.enable_events or not self._next_enable:
            return
        if not is_due(self._next_enable, now + every / 2, every=every):
            return
        try:
            self._enable(now)
        except SourceError as error:
            _log.debug("Events could not be enabled: %s", error)

    def _look(self) -> None:
        connected_at = self._source.health().connected_at
        if connected_at is None:
            return
        now = self._clock()
        if connected_at != self._seen_connection:
            self._seen_connection = connected_at
            self._next_enable = self._next_roll_call = 0.0
        if self._settings.enable_events and not self._next_enable:
            self._enable(now)
        if is_due(self._next_roll_call, now, every=ROLL_CALL):
            self._next_roll_call = now + ROLL_CALL
            self._source.call_heartbeats()
        if is_due(self._next_look, now, every=INTERVAL) and (self._silent or self._to_call):
            self._next_look = now + INTERVAL
            self._ask_for_silent()

    def _enable(self, now: float) -> None:
        self._next_enable = now + self._settings.enable_events_interval
        self._source.enable_events()

    def _ask_for_silent(self) -> None:
        with self._lock:
            silent, to_call = self._silent, self._to_call
        if to_call:
            self._source.call_heartbeats(to_call)
        if silent:
            asked = self._clock()
            presence = self._source.fetch_presence(silent)
            with self._lock:
                self._found.append((presence, asked))
