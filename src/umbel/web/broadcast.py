"""One listener's bounded mailbox of a live stream. Used from the event loop only."""

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream


class Mailbox:
    """Messages on their way to one client: (feed id, encoded event).

    When the client reads too slowly the mailbox is emptied and marked stale: the client then gets a fresh
    snapshot instead of what it missed.
    """

    def __init__(self, size: int) -> None:
        self._send: MemoryObjectSendStream[tuple[int, bytes]]
        self._receive: MemoryObjectReceiveStream[tuple[int, bytes]]
        self._send, self._receive = anyio.create_memory_object_stream[tuple[int, bytes]](size)
        #: Messages were dropped since the last snapshot.
        self.stale = False

    def put(self, feed: int, event: bytes) -> None:
        """Add a message, or drop all that wait."""
        if self.stale:
            return
        try:
            self._send.send_nowait((feed, event))
        except anyio.WouldBlock:
            self.stale = True
            while self._receive.statistics().current_buffer_used:
                self._receive.receive_nowait()

    async def take(self, timeout: float) -> tuple[int, bytes] | None:
        """The next message; None when there is none for `timeout` seconds. Raises EndOfStream once closed."""
        with anyio.move_on_after(timeout):
            return await self._receive.receive()
        return None

    def close(self) -> None:
        """No more messages: what waits is still given out."""
        self._send.close()

    def discard(self) -> None:
        """The client is gone: let go of everything."""
        self._send.close()
        self._receive.close()
