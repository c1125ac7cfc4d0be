"""One connection of `ingest.kombu_source`, from its first attempt to its end, with the threads that serve it.

One thread reads, one sends probes. A driver that blocks or raises ends this connection only; the source judges it by
its proofs of life and opens the next one.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from celery import Celery

from umbel.errors import SourceError
from umbel.ingest.amqp_line import AmqpLine
from umbel.ingest.control_line import PROBE_KEY, ControlLine, refused, sender_of
from umbel.ingest.kombu_line import VirtualLine
from umbel.ingest.line import PONG, Line
from umbel.ingest.proof import Proof, read_probe
from umbel.ingest.redis_line import RedisLine
from umbel.ingest.settings import CollectorSettings
from umbel.ingest.source import Message

if TYPE_CHECKING:
    from umbel.ingest.kombu_source import KombuSource

_log = logging.getLogger("umbel.ingest.source")

#: A tag is (generation << SHIFT) + the broker's delivery tag.
SHIFT = 48

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


class Generation:
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
        base = self.number << SHIFT
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
