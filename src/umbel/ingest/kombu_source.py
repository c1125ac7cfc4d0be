"""The event source over kombu: opens lines to the broker one after another and proves that the present one is alive.

Each connection is a generation with threads of its own. A generation that gives no proof of life, or blocks on a
broker that has stopped, is abandoned and its later words are ignored. Started by `ingest.collector`.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

from celery import Celery

from umbel.errors import SourceError
from umbel.ingest.amqp_line import AmqpLine
from umbel.ingest.control_line import PROBE_KEY, ControlLine, refused, sender_of
from umbel.ingest.kombu_line import VirtualLine
from umbel.ingest.line import PONG, Line
from umbel.ingest.proof import Proof, read_probe
from umbel.ingest.redis_line import RedisLine
from umbel.ingest.settings import CollectorSettings
from umbel.ingest.source import (
    Message,
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

#: A tag is (generation << SHIFT) + the broker's delivery tag.
_SHIFT = 48

#: What the routing keys of our own messages begin with.
_OWN_KEYS = "umbel."


def open_line(app: Celery, settings: CollectorSettings) -> Line:
    """The line for the app's broker; raises SourceError where its transport cannot carry events."""
    transport = app.connection_for_read().transport
    if transport.driver_type == "redis":
        return RedisLine(app, settings)
    if transport.driver_type == "amqp":
        return AmqpLine(app, settings)
    if "fanout" not in transport.implements.exchange_type:
        raise SourceError(
            f"The {transport.driver_name} transport cannot broadcast, so workers send no events on it."
        )
    return VirtualLine(app, settings)


class _Generation:
    """One connection, from its first attempt to its end, with the threads that serve it."""

    def __init__(self, source: "KombuSource", number: int) -> None:
        self._source = source
        self.number = number
        self.settings = source.settings
        self.token = f"{os.getpid()}-{number}-{source.identity}"
        self.line: Line | None = None
        self.control = ControlLine(source.app, source.settings)
        self.control_lock = threading.Lock()
        self.over = threading.Event()
        #: The subscription stands, so that a probe can come back.
        self.opened = False
        self.error = ""
        self.proof = Proof(source.clock(), fresh=source.settings.proof_timeout)
        #: The buffer is full and the broker keeps what is not read: silence is our own doing.
        self.holding = False
        #: Tags: handed over last, acknowledged last, to be acknowledged.
        self._handed = self._acked = self._to_ack = 0
        #: Publishing is refused: proof of life is what the reading thread is asked for.
        self._denied = False
        self._ping_due = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        for work, name in ((self._read, "events"), (self._ask, "probe")):
            thread = threading.Thread(
                target=self._guard, args=(work,), name=f"umbel-{name}-{self.number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # drivers raise what they like; each ends this generation only
            if not self.over.is_set():
                self.fail(f"{type(error).__name__}: {error}")

    def fail(self, error: str) -> None:
        self.error = self.error or error
        self.over.set()
        self._source.wake()

    def _read(self) -> None:
        line = self.line = open_line(self._source.app, self.settings)
        try:
            line.open()
            self.opened = True
            self._source.line_opened(self)
            while not self.over.is_set():
                messages = line.read(self._read_time(line))
                if messages:
                    self._hand_over(line, messages)
                self._serve(line)
        finally:
            line.close()

    def _read_time(self, line: Line) -> float:
        """How long to read: other threads' wishes wait for its end, so not long while there may be any."""
        served = self._acked >= self._handed and not self._denied and self.proof.at is not None
        return line.rest if served else line.look_up

    def _serve(self, line: Line) -> None:
        """Do what other threads asked the reading thread for."""
        if self._to_ack > self._acked:
            line.acknowledge(self._to_ack)
            self._acked = self._to_ack
        if self._ping_due:
            self._ping_due = False
            if line.ping():
                self._prove("ping")

    def _hand_over(self, line: Line, messages: list[Message]) -> None:
        """Stamp the messages, offer them until they are taken, and note our own among them."""
        now = self._source.clock()
        base = self.number << _SHIFT
        own = []
        for message in messages:
            message.received_at = now
            if message.tag is not None:
                self._handed = max(self._handed, message.tag)
                message.tag += base
            if message.routing_key[:6] == _OWN_KEYS:
                own.append(message)
        if len(own) < len(messages):
            # whoever's they are, they came through: with a backlog before it our probe is late, and yet all is well
            self._prove("traffic")
        if own:
            # a probe with a tag is handed on as well, which must be acknowledged in turn
            messages = [message for message in messages if message.tag is not None or message not in own]
        self._offer(line, messages)
        for message in own:
            # only now: what came before it may have waited for room
            self._note_own(message)

    def _note_own(self, message: Message) -> None:
        if message.routing_key == PONG:
            self._prove("ping")
            return
        probe = read_probe(message.body) if message.routing_key == PROBE_KEY else None
        if probe is not None and probe.hostname == sender_of(self.settings):
            self.proof.note_read(probe, self._source.clock(), ours=probe.token == self.token)
            self._source.proved(self)

    def _offer(self, line: Line, messages: Sequence[Message]) -> None:
        """Hand on what was read; what finds no room waits here, and with it the broker."""
        taken = 0
        while not self.over.is_set():
            taken += self._source.on_messages(messages[taken:] if taken else messages)
            if taken >= len(messages):
                break
            self.holding = True
            line.keep()
            self.over.wait(0.05)
        self.holding = False

    def acknowledge(self, tag: int) -> None:
        self._to_ack = max(self._to_ack, tag)

    def _prove(self, kind: str) -> None:
        self.proof.note(kind, self._source.clock())
        self._source.proved(self)

    def _ask(self) -> None:
        """Send a probe now and at each interval; where publishing is refused, ask for another sign of life."""
        while not self.over.is_set():
            if self.opened and not self._denied:
                self._denied = not self._send_probe()
            if self.opened and self._denied:
                self._ping_due = True
            if self.opened:
                self._source.on_probe()
            # the first probe must come after the subscription, so look again soon until there is proof
            self.over.wait(self.settings.probe_interval if self.proof.at is not None else 0.2)

    def _send_probe(self) -> bool:
        """False when this account may not publish."""
        now = self._source.clock()
        self.proof.note_sent(now)
        try:
            with self.control_lock:
                answered = self.control.send_probe(self.token, now=now)
        except Exception as error:  # see _guard
            self.proof.withdraw(now)
            if refused(error):
                _log.warning("This account may not publish (%s): proof of life is traffic or a ping.", error)
                return False
            if self.proof.at is None:
                raise
            # RabbitMQ blocks who publishes in an alarm; the line may still be read, and its silence would end it
            _log.warning("No probe could be sent (%s: %s); trying anew.", type(error).__name__, error)
            self.renew_control()
        else:
            if answered and self.holding:
                # our own probe waits behind what we don't read; the broker is there
                self._prove("ping")
        return True

    def renew_control(self) -> None:
        """A new writing connection in the place of one that broke."""
        with self.control_lock:
            broken, self.control = self.control, ControlLine(self._source.app, self.settings)
        broken.close()

    def abandon(self) -> None:
        """Let the connection go without waiting for it: whoever blocks on it is woken, or left behind."""
        self.over.set()
        if self.line is not None:
            self.line.sever()
        closer = threading.Thread(target=self.control.close, name="umbel-close", daemon=True)
        self._threads.append(closer)
        closer.start()

    def join(self, timeout: float) -> None:
        """Wait for the threads, together at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))


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
        self._generation: _Generation | None = None
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
            generation = self._generation = _Generation(self, number)
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

    def _watch(self, generation: _Generation) -> None:
        """Return when the generation has failed, given no sign of life for too long, or we are stopped."""
        while not self._stopped.is_set() and not generation.over.is_set():
            silence = self.clock() - generation.proof.silent_since
            if silence > self.settings.proof_timeout and not generation.holding:
                generation.fail(f"no sign of life from the broker for {silence:.0f} s")
                return
            # silence ends now and then: by the time it may be too long, it mostly has
            left = self.settings.proof_timeout - silence
            self._wake.wait(1.0 if generation.holding else max(0.05, left))

    def wake(self) -> None:
        """A generation has failed; look at it now."""
        self._wake.set()

    def line_opened(self, generation: _Generation) -> None:
        """The subscription stands; proof is still to come."""
        if generation is self._generation and generation.line is not None:
            self._kept = generation.line.kept

    def proved(self, generation: _Generation) -> None:
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
                    outage = Outage(self._last_proof, at, "broker-lost", not self._kept, self._broken)
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
        if self._stopped.is_set() or proof is None:
            state = SourceState.STOPPED
        elif proof.at is None:
            state = SourceState.CONNECTING
        else:
            fresh = now - proof.at < self.settings.proof_timeout
            state = SourceState.CONNECTED if fresh else SourceState.BLIND
        return SourceHealth(
            state=state,
            proof_at=self._last_proof,
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
        if generation is not None and tag >> _SHIFT == generation.number:
            generation.acknowledge(tag & ((1 << _SHIFT) - 1))

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
