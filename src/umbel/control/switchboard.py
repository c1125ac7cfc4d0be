"""Broadcasts commands and questions to workers and hands each its own replies, as they come, until its deadline.

All that is under way at once shares one thread, one connection and one reply queue, so that the silence of a worker
delays nobody else. They exist only while somebody waits, and a moment longer; then nothing of them is left at the
broker. Called by `control.commander` and `control.inspect`.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from typing import Any

import msgspec
from celery import Celery
from kombu import Connection, Consumer, Producer, Queue
from kombu.exceptions import EncodeError, OperationalError

from umbel.errors import InspectError

logger = logging.getLogger(__name__)

#: Seconds that the connection is kept for the next question; longer than the second after which Redis' blocking
#: read ends, so that closing does not have to wait for it.
LINGER = 2.0
#: Seconds between two looks at what else is to be sent, while replies are awaited.
TURN = 0.03
#: Seconds for the broker to accept a connection, and to answer at all.
CONNECT_PATIENCE = 2.0
ANSWER_PATIENCE = 5.0
#: Seconds after which RabbitMQ deletes a reply queue that was left behind.
QUEUE_EXPIRES = 30.0
#: Replies of one question kept at most; a cluster has fewer workers.
MAX_REPLIES = 20_000

Replies = dict[str, Any]


class Call:
    """One broadcast under way. `sent` is done when the broker has it, `replies` when nobody is waited for any more;
    both end with InspectError when the broker can't be used, `replies` only as long as nothing was sent."""

    def __init__(
        self, method: str, arguments: Mapping[str, Any], destination: Collection[str] | None, *,
        expected: Collection[str], timeout: float | None, on_reply: Callable[[str, Any], None] | None,
    ) -> None:  # fmt: skip
        self.method = method
        self.arguments = dict(arguments)
        self.destination = None if destination is None else sorted(destination)
        self.timeout = timeout
        self.ticket = str(uuid.uuid4())
        self.sent: Future[None] = Future()
        self.replies: Future[Replies] = Future()
        for future in (self.sent, self.replies):
            # whoever waits may leave, which must not cancel it for the thread that sets it
            future.set_running_or_notify_cancel()
        self._missing = set(expected)
        self._expects = bool(expected)
        self._on_reply = on_reply
        self._heard: Replies = {}
        self._deadline = 0.0
        # who asked may give up while the switchboard sends
        self._lock = threading.Lock()

    def begin(self) -> None:
        """The broker has it: the time for replies runs from now."""
        self._deadline = time.monotonic() + (self.timeout or 0.0)
        with self._lock:
            if self.sent.done():
                return
            self.sent.set_result(None)
            if self.timeout is None:
                self.replies.set_result({})

    def hear(self, hostname: str, reply: Any) -> None:
        """One worker's reply; its first one counts."""
        if self.replies.done() or hostname in self._heard or len(self._heard) >= MAX_REPLIES:
            return
        self._heard[hostname] = reply
        self._missing.discard(hostname)
        if self._on_reply is not None:
            self._on_reply(hostname, reply)

    def is_over(self, now: float) -> bool:
        """Everybody expected has answered, or the time is up; then `replies` is done."""
        if not self.replies.done() and (now >= self._deadline or (self._expects and not self._missing)):
            self.replies.set_result(self._heard)
        return self.replies.done()

    def fail(self, error: InspectError) -> None:
        """The broker can't be used, or nobody waits for it any more. What was heard after sending stays true."""
        with self._lock:
            if not self.sent.done():
                self.sent.set_exception(error)
                self.replies.set_exception(error)
            elif not self.replies.done():
                self.replies.set_result(self._heard)


class Switchboard:
    """The one thread that talks to workers. Its methods may be called from any thread and never block."""

    def __init__(self, app: Celery, *, name: str | None = None) -> None:
        """`name` is this process's own for as long as it runs, and the same after a restart: what a killed process left
        at a broker that can't tell (Redis) then goes with the next answer. None takes a new one."""
        self._app = app
        self._name = name
        self._wake = threading.Condition()
        self._queue: list[Call] = []
        self._open: dict[str, Call] = {}
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Nothing yet: the thread begins with the first call."""

    def stop(self) -> None:
        """End the thread and delete the reply queue; calls under way end with what they heard."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=3.0)

    def healthy(self) -> bool:
        """The thread runs, or was not needed yet."""
        return not self._stopping and (self._thread is None or self._thread.is_alive())

    def call(
        self,
        method: str,
        arguments: Mapping[str, Any] | None = None,
        destination: Collection[str] | None = None,
        *,
        timeout: float | None,
        expected: Collection[str] = (),
        on_reply: Callable[[str, Any], None] | None = None,
    ) -> Call:
        """Broadcast a control command.

        Args:
            destination: Host names, None for all workers.
            timeout: Seconds for replies after sending; None asks for none.
            expected: Once all these have replied nobody else is waited for; empty waits until the deadline.
            on_reply: Called with host name and reply as each comes, from the switchboard's thread: must be quick.
        """
        call = Call(
            method, arguments or {}, destination, expected=expected, timeout=timeout, on_reply=on_reply
        )
        with self._wake:
            if self._stopping:
                call.fail(InspectError("the server is stopping"))
                return call
            self._queue.append(call)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="umbel-switchboard", daemon=True)
                self._thread.start()
            self._wake.notify_all()
        return call

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._stopping:
                    self._wake.wait()
                if self._stopping:
                    break
            self._serve()
        self._fail(InspectError("the server is stopping"))

    def _serve(self) -> None:
        """One connection from the first call on it to its end. Never raises."""
        connection: Connection | None = None
        try:
            connection = connect(self._app)
            line = self._open_line(connection)
            self._answer(line)
            line.close()
            connection.release()
        except Exception as exc:  # whatever a driver raises: the next call gets a new connection
            # before the rest: whoever waits must not wait for a connection that a frozen broker lets nobody close
            self._fail(InspectError(one_line(exc)))
            if isinstance(exc, broker_errors(self._app)):
                logger.warning("Workers can't be asked or told now: %s", one_line(exc))
            else:
                logger.exception("The line to the workers broke")
            if connection is not None:
                threading.Thread(
                    target=_abandon, args=(connection,), name="umbel-abandon", daemon=True
                ).start()

    def _answer(self, line: "_Line") -> None:
        """Answer calls until nobody has wanted anything for `LINGER` seconds."""
        while not self._stopping:
            taken = self._take()
            # all of them first: one that breaks the line must not take the others out of sight
            self._open.update((call.ticket, call) for call in taken)
            for call in taken:
                self._send(line, call)
            now = time.monotonic()
            for ticket in [ticket for ticket, call in self._open.items() if call.is_over(now)]:
                del self._open[ticket]
            if self._open:
                line.read(TURN)
            elif not self._is_wanted():
                return

    def _open_line(self, connection: Connection) -> "_Line":
        # RabbitMQ deletes an exclusive queue with its connection, and locks its name until it has noticed
        keeps_name = self._name is not None and connection.transport.driver_type != "amqp"
        oid = uuid.uuid5(uuid.NAMESPACE_URL, str(self._name)) if keeps_name else uuid.uuid4()
        return _Line(self._app, connection, str(oid), self._hear)

    def _send(self, line: "_Line", call: Call) -> None:
        """Raises what kombu raises for a broker in trouble; arguments that can't be written fail this call alone."""
        if call.sent.done():
            return  # it was given up
        try:
            line.send(call)
        except (TypeError, ValueError, EncodeError) as exc:
            del self._open[call.ticket]
            call.fail(InspectError(f"the command can't be written: {one_line(exc)}"))
        else:
            call.begin()

    def _take(self) -> list[Call]:
        with self._wake:
            taken, self._queue = self._queue, []
        return taken

    def _is_wanted(self) -> bool:
        """Wait for the next call, but not for long."""
        with self._wake:
            return bool(self._queue) or (self._wake.wait(LINGER) and not self._stopping)

    def _hear(self, ticket: str, body: Any) -> None:
        call = self._open.get(ticket)
        if call is not None and isinstance(body, dict):
            for hostname, reply in body.items():
                call.hear(str(hostname), reply)

    def _fail(self, error: InspectError) -> None:
        for call in (*self._open.values(), *self._take()):
            call.fail(error)
        self._open.clear()


class _Line:
    """The reply queue and the producer on one connection. Every method raises what kombu and its drivers raise."""

    def __init__(
        self, app: Celery, connection: Connection, oid: str, on_reply: Callable[[str, Any], None]
    ) -> None:
        self._mailbox = app.control.mailbox
        self._clock = app.clock
        self._connection = connection
        self._oid = oid
        self._on_reply = on_reply
        channel = connection.default_channel
        self._queue = Queue(
            f"{oid}.{self._mailbox.reply_exchange.name}", exchange=self._mailbox.reply_exchange, routing_key=oid,
            durable=False, exclusive=True, auto_delete=True, expires=QUEUE_EXPIRES,
        )(channel)  # fmt: skip
        self._producer = Producer(channel, auto_declare=False)
        self._consumer = Consumer(
            channel, [self._queue], accept=self._mailbox.accept, no_ack=True, callbacks=[self._receive],
            on_decode_error=_unreadable,
        )  # fmt: skip

        self._consumer.consume()

    def close(self) -> None:
        """Stop listening and delete the reply queue."""
        self._consumer.cancel()
        self._queue.delete()

    def send(self, call: Call) -> None:
        message = {
            "method": call.method, "arguments": call.arguments, "destination": call.destination, "pattern": None,
            "matcher": None,
        }  # fmt: skip
        if call.timeout is not None:
            message["ticket"] = call.ticket
            message["reply_to"] = {"exchange": self._mailbox.reply_exchange.name, "routing_key": self._oid}
        expires = time.time() + call.timeout if call.timeout else 0
        self._producer.publish(
            message, exchange=self._mailbox.exchange.name, declare=[self._mailbox.exchange],
            headers={"clock": self._clock.forward(), "expires": expires}, serializer=self._mailbox.serializer or "json",
            retry=False,
        )  # fmt: skip

    def read(self, timeout: float) -> None:
        """All replies that are there, or the first that comes within `timeout` seconds."""
        try:
            self._connection.drain_events(timeout=timeout)
            while True:
                self._connection.drain_events(timeout=0.001)
        except TimeoutError:
            pass

    def _receive(self, body: Any, message: Any) -> None:
        self._on_reply(str(message.headers.get("ticket")), body)


def connect(app: Celery) -> Connection:
    """A new connection to write with; gives up soon where the user has set no limits of their own."""
    connection: Connection = app.connection_for_write(connect_timeout=CONNECT_PATIENCE)
    options: dict[str, Any] = {
        "max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2,
        **(connection.transport_options or {}),
    }  # fmt: skip
    limits: Mapping[str, float] = {}
    if connection.transport.driver_type == "redis":
        limits = {"socket_timeout": ANSWER_PATIENCE, "socket_connect_timeout": CONNECT_PATIENCE}
    elif connection.transport.driver_type == "amqp":
        limits = {"read_timeout": ANSWER_PATIENCE, "write_timeout": ANSWER_PATIENCE}
    for name, seconds in limits.items():
        if options.get(name) is None:
            options[name] = seconds
    connection.transport_options = options
    return connection


def broker_errors(app: Celery) -> tuple[type[BaseException], ...]:
    """What a broker in trouble may raise, driver errors included."""
    connection = app.connection_for_write()
    return (OperationalError, OSError, *connection.connection_errors, *connection.channel_errors)


def one_line(exc: BaseException) -> str:
    """An exception's text without line breaks; its type where it says nothing."""
    return " ".join(str(exc).split()) or type(exc).__name__


def _unreadable(message: Any, exc: Exception) -> None:
    logger.warning("A worker's reply can't be read: %s", one_line(exc))


def _abandon(connection: Connection) -> None:
    """Close a connection that broke, which may take some seconds."""
    try:
        connection.release()
    except Exception as exc:  # it is broken
        logger.debug("A broken connection could not be closed: %s", one_line(exc))


class Answer(msgspec.Struct, frozen=True):
    """What one worker said to a command."""

    is_ok: bool
    text: str


def read_answer(reply: Any) -> Answer:
    """A reply as workers write them: `{"ok": text}` or `{"error": text}`; anything else is no confirmation."""
    if isinstance(reply, dict):
        if "ok" in reply:
            return Answer(True, str(reply["ok"]))
        if "error" in reply:
            return Answer(False, str(reply["error"]))
    return Answer(False, f"unexpected reply: {reply!r}"[:500])
