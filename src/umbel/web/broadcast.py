"""One listener's bounded mailbox of a live stream. Used from the event loop only."""

import asyncio


class Mailbox:
    """Encoded events on their way to one client, each with its feed id; None for what is no news.

    When the client reads too slowly the mailbox is emptied and marked stale: the client then gets a fresh
    snapshot instead of what it missed.
    """

    __slots__ = ("_closed", "_size", "_waiter", "events", "stale")

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False
        self.events: list[tuple[int | None, bytes]] = []
        #: Events were dropped since the last snapshot.
        self.stale = False

    def put(self, feed: int | None, event: bytes) -> None:
        """Add an event, or drop all that wait."""
        if self.stale:
            return
        if len(self.events) >= self._size:
            self.stale = True
            self.events = []
        else:
            self.events.append((feed, event))
        self._wake()

    async def take(self) -> list[tuple[int | None, bytes]] | None:
        """Everything that waits, as soon as there is something, which may be staleness; None once closed and empty."""
        while not (self.events or self.stale or self._closed):
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if not self.events and self._closed:
            return None
        events, self.events = self.events, []
        return events

    def close(self) -> None:
        """No more events: what waits is still given out."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
