"""Server-sent events: a snapshot for each new client, then deltas made and encoded once for all of them.

The feed is read in one background task, only while somebody is connected, and at most four times a second.
"""

import logging
from functools import partial

import anyio
import msgspec
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from umbel.errors import StoreError
from umbel.web import query, schema
from umbel.web.broadcast import Mailbox
from umbel.web.deps import Deps
from umbel.web.live_state import LiveState
from umbel.web.present import Present

logger = logging.getLogger(__name__)

#: Seconds between two looks at the feed; every `THOROUGH`-th one also looks at status and worker list.
TICK = 0.25
THOROUGH = 4
#: Seconds of silence after which a comment shows that the line is alive.
KEEP_ALIVE = 15.0
#: Messages that may wait for one slow client before it gets a fresh snapshot instead.
BACKLOG = 8

#: Seconds that a new client waits for the background task to have a state; then it is told why there is none.
PATIENCE = 5.0

_KEEP_ALIVE = b": keep-alive\n\n"
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # tells nginx not to hold the events back
    (b"x-accel-buffering", b"no"),
]


class Stream:
    """All live clients and the one task that serves them."""

    def __init__(self, deps: Deps, present: Present) -> None:
        self._state = LiveState(deps, present)
        self._mailboxes: set[Mailbox] = set()
        self._somebody = anyio.Event()
        #: Set while the background task has a state that deltas are made from.
        self._ready = anyio.Event()
        self._closed = False

    async def handle(self, request: Request) -> ASGIApp:
        """The endpoint: open the stream, resumed after `Last-Event-ID` where that is possible."""
        query.decode(request.query_params, query.NoQuery)
        return partial(self._serve, _last_id(request))

    async def run(self) -> None:
        """The background task, until it is cancelled: sleeps while nobody listens."""
        while True:
            if not self._mailboxes:
                self._somebody = anyio.Event()
                await self._somebody.wait()
            await self._follow()
            await anyio.sleep(TICK)

    def close(self) -> None:
        """End every stream at once. Safe to call twice; from the event loop."""
        self._closed = True
        self._ready.set()
        for mailbox in self._mailboxes:
            mailbox.close()

    async def _follow(self) -> None:
        """Send deltas until nobody listens any more."""
        ready = False
        turn = 0
        while self._mailboxes and not self._closed:
            try:
                if not ready:
                    await run_sync(self._state.reset)
                    ready = True
                    self._ready.set()
                turn += 1
                delta = await run_sync(self._state.fetch_delta, turn % THOROUGH == 0)
            except StoreError as exc:
                logger.warning("The live stream can't read the history: %s", exc)
                delta = None
            except Exception:
                logger.exception("The live stream failed and goes on")
                ready, delta = False, None
            if delta is not None:
                message = encode(delta)
                for mailbox in self._mailboxes:
                    mailbox.put(delta.feed, message)
            await anyio.sleep(TICK)
        if not self._closed:
            self._ready = anyio.Event()

    async def _serve(self, last_id: int | None, scope: Scope, receive: Receive, send: Send) -> None:
        """One client's whole stream."""
        mailbox = Mailbox(BACKLOG)
        self._mailboxes.add(mailbox)
        self._somebody.set()
        try:
            # a first message older than the state that deltas begin from would leave out what came between
            with anyio.move_on_after(PATIENCE):
                await self._ready.wait()
            first = await self._first(last_id)
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._send_all, mailbox, first, send, tasks.cancel_scope)
                await _wait_for_disconnect(receive)
                tasks.cancel_scope.cancel()
        finally:
            self._mailboxes.discard(mailbox)
            mailbox.discard()

    async def _first(self, last_id: int | None) -> tuple[int, bytes]:
        """What a client gets at once: what it missed where that is known, else a snapshot."""
        if last_id is not None:
            missed = await run_sync(self._state.fetch_missed, last_id)
            if missed is not None:
                return missed.feed, encode(missed)
        snapshot = await run_sync(self._state.fetch_snapshot)
        return snapshot.feed, encode(snapshot)

    async def _send_all(
        self,
        mailbox: Mailbox,
        first: tuple[int, bytes],
        send: Send,
        scope: anyio.CancelScope,
    ) -> None:
        async def write(event: bytes, *, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": event, "more_body": more})

        sent, event = first
        await write(event)
        while not self._closed:
            if mailbox.stale:
                mailbox.stale = False
                sent, event = await self._first(None)
                await write(event)
                continue
            try:
                message = await mailbox.take(KEEP_ALIVE)
            except anyio.EndOfStream:
                break
            if message is None:
                await write(_KEEP_ALIVE)
            elif message[0] >= sent:
                sent, event = message
                await write(event)
        await write(b"", more=False)
        scope.cancel()


def encode(message: schema.Snapshot | schema.Delta) -> bytes:
    """A message as one server-sent event."""
    kind = b"snapshot" if isinstance(message, schema.Snapshot) else b"delta"
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (
        message.feed,
        kind,
        msgspec.json.encode(message),
    )


def _last_id(request: Request) -> int | None:
    """The feed id that a returning client saw last; None for a new one."""
    text = request.headers.get("last-event-id", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
