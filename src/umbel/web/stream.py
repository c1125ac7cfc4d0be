"""Server-sent events: a snapshot for each new client, then deltas, both made and encoded once for all of them.

The feed is read in one background task, only while somebody is connected, and at most four times a second.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

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
#: A look that takes long is followed by a rest that is so many times as long, so that it costs a quarter of a core.
LEISURE = 3.0
#: Seconds of silence after which a comment shows that the line is alive.
KEEP_ALIVE = 15.0
#: Events that may wait for one slow client before it gets a fresh snapshot instead.
BACKLOG = 8
#: Clients that are woken before other requests have their turn.
SLICE = 50
#: Seconds for which a first message is given to further clients while nothing changes.
SHARED = 1.0

#: Seconds that a new client waits for the background task to have a state; then it is told why there is none.
PATIENCE = 5.0

_KEEP_ALIVE = b": keep-alive\n\n"
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # tells nginx not to hold the events back
    (b"x-accel-buffering", b"no"),
]

#: A feed id, and an event that brings a client there.
Told = tuple[int, bytes]


class Stream:
    """All live clients and the one task that serves them."""

    def __init__(self, deps: Deps, present: Present) -> None:
        self._state = LiveState(deps, present)
        self._mailboxes: set[Mailbox] = set()
        self._somebody = asyncio.Event()
        #: Set while the background task has a state that deltas are made from.
        self._ready = asyncio.Event()
        self._closed = False
        #: First messages made since the last delta, by the feed id that the client saw last.
        self._firsts: dict[int | None, asyncio.Future[Told]] = {}
        self._firsts_at = 0.0

    async def handle(self, request: Request) -> ASGIApp:
        """The endpoint: open the stream, resumed after `Last-Event-ID` where that is possible."""
        query.decode(request.query_params, query.NoQuery)
        return partial(self._serve, _last_id(request))

    async def run(self) -> None:
        """The background task, until it is cancelled: sleeps while nobody listens."""
        while True:
            if not self._mailboxes:
                self._somebody.clear()
                await self._somebody.wait()
            await self._follow()
            await asyncio.sleep(TICK)

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
        told_at = time.monotonic()
        while self._mailboxes and not self._closed:
            begun = time.monotonic()
            told = None
            try:
                if not ready:
                    await run_sync(self._state.reset)
                    ready = True
                    self._ready.set()
                turn += 1
                told = await run_sync(self._fetch_delta, turn % THOROUGH == 0)
            except StoreError as exc:
                logger.warning("The live stream can't read the history: %s", exc)
            except Exception:
                logger.exception("The live stream failed and goes on")
                ready = False
            if told is not None:
                await self._post(*told)
                told_at = begun
            elif begun - told_at >= KEEP_ALIVE:
                await self._post(None, _KEEP_ALIVE)
                told_at = begun
            await asyncio.sleep(max(TICK, LEISURE * (time.monotonic() - begun)))
        if not self._closed:
            self._ready.clear()

    def _fetch_delta(self, thorough: bool) -> Told | None:
        delta = self._state.fetch_delta(thorough)
        return None if delta is None else (delta.feed, encode(delta))

    async def _post(self, feed: int | None, event: bytes) -> None:
        """Put an event into every mailbox; who comes meanwhile gets a first message that is newer than it."""
        if feed is not None:
            self._firsts.clear()
        for number, mailbox in enumerate(list(self._mailboxes), 1):
            mailbox.put(feed, event)
            if number % SLICE == 0:
                await asyncio.sleep(0)

    async def _serve(self, last_id: int | None, scope: Scope, receive: Receive, send: Send) -> None:
        """One client's whole stream."""
        mailbox = Mailbox(BACKLOG)
        self._mailboxes.add(mailbox)
        self._somebody.set()
        if self._closed:
            mailbox.close()
        watch = asyncio.ensure_future(_close_when_gone(receive, mailbox))
        try:
            # a first message older than the state that deltas begin from would leave out what came between
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ready.wait(), PATIENCE)
            first = await self._first(last_id)
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await self._send_all(mailbox, first, send)
        finally:
            watch.cancel()
            self._mailboxes.discard(mailbox)

    async def _first(self, last_id: int | None) -> Told:
        """What a client gets at once: what it missed where that is known, else a snapshot."""
        now = time.monotonic()
        if now - self._firsts_at > SHARED:
            self._firsts.clear()
        if not self._firsts:
            self._firsts_at = now
        first = self._firsts.get(last_id)
        if first is None or (first.done() and first.exception() is not None):
            make: Callable[[], Told] = partial(self._make_first, last_id)
            first = self._firsts[last_id] = asyncio.ensure_future(run_sync(make))
        # shielded: one client that leaves must not take it from the others
        return await asyncio.shield(first)

    def _make_first(self, last_id: int | None) -> Told:
        missed = None if last_id is None else self._state.fetch_missed(last_id)
        message = self._state.fetch_snapshot() if missed is None else missed
        return message.feed, encode(message)

    async def _send_all(self, mailbox: Mailbox, first: Told, send: Send) -> None:
        sent, event = first
        await send({"type": "http.response.body", "body": event, "more_body": True})
        while True:
            if mailbox.stale and not self._closed:
                mailbox.stale = False
                sent, event = await self._first(None)
                await send({"type": "http.response.body", "body": event, "more_body": True})
            events = await mailbox.take()
            if events is None:
                break
            body = b"".join([event for feed, event in events if feed is None or feed >= sent])
            sent = max([sent, *(feed for feed, _ in events if feed is not None)])
            if body:
                await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


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


async def _close_when_gone(receive: Receive, mailbox: Mailbox) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    mailbox.close()
