"""Many listeners of Umbel's live stream in one process, which notes when each of them hears of a probe.

`python -m benchmarks.sse_clients PORT CLIENTS`. Prints `ready` once all listen, runs until its input ends, then prints
one line of JSON: bytes and messages received, connections that ended, and the moments at which each probe and each
delta was heard.
"""

import asyncio
import json
import re
import sys
import time

#: A probe is a task whose id begins so; no other id does.
PROBE = "feedc0de"
_PROBE = re.compile(rf"{PROBE}-[0-9a-f-]{{27}}".encode())
_DELTA = re.compile(rb"id: (\d+)\nevent: delta\n")
#: Bytes kept of what came before, so that an id in two pieces is found as well.
_TAIL = 35
#: Connections opened at once.
_OPENING = 50
_REQUEST = b"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"


def write_probe_id(number: int) -> str:
    """Return the id of a probe."""
    return f"{PROBE}-0000-4000-8000-{number:012x}"


class Hearing:
    """What all listeners heard."""

    def __init__(self) -> None:
        #: Probe id -> epoch seconds at which listeners heard of it, each listener once.
        self.heard: dict[str, list[float]] = {}
        #: The same of deltas, by their ids.
        self.deltas: dict[str, list[float]] = {}
        self.messages = 0
        self.bytes = 0
        self.ended = 0


class Listener(asyncio.Protocol):
    """One client: reads and looks for probes, as cheaply as can be."""

    def __init__(self, hearing: Hearing, first: asyncio.Future[None]) -> None:
        self._hearing = hearing
        self._first = first
        self._tail = b""
        self._known: set[bytes] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(_REQUEST)

    def data_received(self, data: bytes) -> None:
        """Look for probes that this listener has not heard of."""
        hearing = self._hearing
        now = time.time()
        hearing.bytes += len(data)
        hearing.messages += data.count(b"\nevent: ")
        text = self._tail + data
        self._tail = text[-_TAIL:]
        for pattern, heard in ((_PROBE, hearing.heard), (_DELTA, hearing.deltas)):
            for found in pattern.findall(text):
                if found not in self._known:
                    self._known.add(found)
                    heard.setdefault(found.decode(), []).append(now)
        if not self._first.done() and b"event: snapshot" in text:
            self._first.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it: a stream does not end by itself."""
        self._hearing.ended += 1
        if not self._first.done():
            self._first.set_exception(exc or ConnectionError("the stream ended before it began"))


async def listen(port: int, clients: int) -> Hearing:
    """Keep `clients` streams open until the input ends."""
    hearing = Hearing()
    loop = asyncio.get_running_loop()
    opening = asyncio.Semaphore(_OPENING)

    async def open_one() -> None:
        async with opening:
            first: asyncio.Future[None] = loop.create_future()
            await loop.create_connection(lambda: Listener(hearing, first), "127.0.0.1", port)
            await asyncio.wait_for(first, 60)

    await asyncio.gather(*(open_one() for _ in range(clients)))
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    return hearing


def main(argv: list[str]) -> int:
    """Listen and print."""
    port, clients = map(int, argv)
    hearing = asyncio.run(listen(port, clients))
    print(json.dumps(vars(hearing)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
