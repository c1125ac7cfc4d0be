"""The event source over kombu: opens lines to the broker one after another and proves that the present one is alive.

Each connection is a generation with threads of its own. A generation that gives no proof of life, or blocks on a
broker that has stopped, is abandoned and its later words are ignored. Started by `ingest.collector`.
"""

import logging
import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from celery import Celery

from umbel.errors import SourceError
from umbel.ingest.control_line import ControlLine
from umbel.ingest.generation import SHIFT, Generation
from umbel.ingest.settings import CollectorSettings
from umbel.ingest.source import (
    OnMessages,
    Outage,
    Presence,
    Source,
    SourceHealth,
    SourceState,
)

_log = logging.getLogger("umbel.ingest.source")

#: Waits between attempts, seconds: doubled from the first to the last, reset by proof of life. The last is short
#: enough for events to resume within 30 s of a broker's return.
FIRST_WAIT = 0.5
LAST_WAIT = 10.0
#: Seconds later than it was to that a wait ends when this process, or its machine, stood still meanwhile.
ASLEEP = 5.0
#: Seconds by which our clock may run back unnoticed.
SET_BACK = 1.0


class KombuSource(Source):
    """Celery events from any broker that kombu can subscribe to."""

    def __init__(self, app: Celery, settings: CollectorSettings, *, clock: Callable[[], float]) -> None:
        self.app = app
        self.settings = settings
        self.clock = clock
        self.identity = os.urandom(4).hex()
        self.on_messages: OnMessages = len
        self.on_probe: Callable[[], None] = lambda: None
        self._on_outage: Callable[[Outage], None] = lambda outage: None
        self._on_change: Callable[[], None] = lambda: None
        self._generation: Generation | None = None
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._reconnects = 0
        self._attempt = 0
        self._error = ""
        #: The last proof of any generation, and why its connection broke.
        self._last_proof: float | None = None
        self._broken = ""
        self._connected_at: float | None = None
        self._kept = False

    def start(
        self,
        on_messages: OnMessages,
        on_outage: Callable[[Outage], None],
        *,
        on_change: Callable[[], None] = lambda: None,
        on_probe: Callable[[], None] = lambda: None,
    ) -> None:
        self.on_messages, self.on_probe = on_messages, on_probe
        self._on_outage, self._on_change = on_outage, on_change
        self._thread = threading.Thread(target=self._keep_connected, name="umbel-source", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._wake.set()
        generation = self._generation
        if self._thread is not None:
            self._thread.join(1.0)
        if generation is not None:
            generation.join(4.0)

    def _keep_connected(self) -> None:
        number = 0
        wait = FIRST_WAIT
        while not self._stopped.is_set():
            number += 1
            generation = self._generation = Generation(self, number)
            self._wake.clear()
            generation.start()
            self._watch(generation)
            generation.abandon()
            self._on_change()
            if generation.proof.at is not None:
                wait = FIRST_WAIT
                self._reconnects += 1
            if self._stopped.is_set():
                return
            self._error = generation.error
            self._broken = generation.error
            _log.warning(
                "The line to the broker is down (%s); next attempt in %.1f s.",
                generation.error,
                wait,
            )
            self._stopped.wait(wait)
            wait = min(wait * 2, LAST_WAIT)

    def _watch(self, generation: Generation) -> None:
        """Return when the generation has failed, given no sign of life for too long, or we are stopped."""
        awake = due = self.clock()
        while not self._stopped.is_set() and not generation.over.is_set():
            now = self.clock()
            if max(generation.proof.silent_since, self._connected_at or 0.0, awake) > now + SET_BACK:
                self._set_back(generation, now)
                awake = now
            if now > due + ASLEEP:
                # we stood still, or the clock was set: what came meanwhile is still to be read
                awake = now
            silence = now - max(generation.proof.silent_since, awake)
            if silence > self.settings.proof_timeout and not generation.holding:
                generation.fail(f"no sign of life from the broker for {silence:.0f} s")
                return
            # silence ends now and then: by the time it may be too long, it mostly has
            left = self.settings.proof_timeout - silence
            wait = 1.0 if generation.holding else max(0.05, left)
            due = now + wait
            self._wake.wait(wait)

    def _set_back(self, generation: Generation, now: float) -> None:
        """Our clock was set back: what it said ahead of `now` counts as of now."""
        generation.proof.set_back(now)
        with self._lock:
            if self._last_proof is not None:
                self._last_proof = min(self._last_proof, now)
            if self._connected_at is not None:
                self._connected_at = min(self._connected_at, now)

    def wake(self) -> None:
        """A generation has failed; look at it now."""
        self._wake.set()

    def line_opened(self, generation: Generation) -> None:
        """The subscription stands; proof is still to come."""
        if generation is self._generation and generation.line is not None:
            self._kept = generation.line.kept

    def proved(self, generation: Generation) -> None:
        """Note proof of life; the first of a generation ends the outage before it."""
        outage = None
        at = generation.proof.at
        with self._lock:
            if generation is not self._generation or at is None:
                return
            first = self._connected_at is None or self._attempt != generation.number
            if first:
                self._attempt = generation.number
                self._connected_at = at
                self._error = ""
                if self._last_proof is not None:
                    outage = Outage(
                        min(self._last_proof, at), at, "broker-lost", not self._kept, self._broken
                    )
            elif self._last_proof is not None and at - self._last_proof >= self.settings.proof_timeout:
                # nobody could be heard meanwhile: the broker stood still, or we did
                self._connected_at = at
            self._last_proof = at
        if first:
            _log.info("Connected to the broker: events are coming in.")
        if outage is not None:
            self._on_outage(outage)
        if first:
            self._on_change()

    def health(self) -> SourceHealth:
        generation = self._generation
        now = self.clock()
        proof = None if generation is None else generation.proof
        last_proof = self._last_proof
        if self._stopped.is_set() or proof is None:
            state = SourceState.STOPPED
        elif proof.at is None or last_proof is None:
            state = SourceState.CONNECTING
        else:
            # what is noted together with `connected_at`, not the newest of all
            fresh = now - last_proof < self.settings.proof_timeout
            state = SourceState.CONNECTED if fresh else SourceState.BLIND
        return SourceHealth(
            state=state,
            proof_at=last_proof,
            proof="probe" if proof is None else proof.kind(now),
            error=self._error or ("" if generation is None else generation.error),
            reconnects=self._reconnects,
            connected_at=self._connected_at,
            kept=self._kept,
            behind=0.0 if proof is None else proof.behind(now),
        )

    @property
    def proof_at(self) -> float | None:
        return self._last_proof

    def acknowledge(self, tag: int) -> None:
        generation = self._generation
        if generation is not None and tag >> SHIFT == generation.number:
            generation.acknowledge(tag & ((1 << SHIFT) - 1))

    def enable_events(self) -> None:
        with self._control() as control:
            control.broadcast("enable_events")

    def call_heartbeats(self, hostnames: Collection[str] | None = None) -> None:
        with self._control() as control:
            control.broadcast("heartbeat", hostnames)

    def fetch_presence(self, silent: Collection[str]) -> Presence:
        with self._control() as control:
            return control.fetch_presence(silent)

    @contextmanager
    def _control(self) -> Iterator[ControlLine]:
        """The present generation's writing connection, for one thread at a time."""
        generation = self._generation
        if generation is None or generation.proof.at is None or generation.over.is_set():
            raise SourceError("The broker is not connected.")
        if not generation.control_lock.acquire(timeout=5.0):
            raise SourceError("The broker does not answer.")
        try:
            yield generation.control
        except SourceError:
            raise
        except Exception as error:  # drivers raise what they like; callers know one exception
            raise SourceError(f"{type(error).__name__}: {error}") from error
        finally:
            generation.control_lock.release()
