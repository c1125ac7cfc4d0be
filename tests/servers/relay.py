"""A TCP relay in front of a broker whose connections can be made to hang, as firewalls do: no end, no data."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self


class Pair:
    """One connection through the relay."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        #: The first bytes that the client sent.
        self.asked = b""
        #: Set: nothing passes any more, and nobody is told.
        self.hangs = threading.Event()

    def close(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Relay:
    """Listens on a free port of loopback and passes everything to `port`."""

    #: Bytes of a client that are remembered: a worker's first words are many.
    REMEMBERED = 200_000

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.pairs: list[Pair] = []
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # a thread that waits in accept holds the socket open
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for pair in self.pairs:
            pair.hangs.set()
            pair.close()

    def hang(self, which: Callable[[Pair], bool]) -> int:
        """Let these connections hang; return how many they are."""
        chosen = [pair for pair in self.pairs if which(pair)]
        for pair in chosen:
            pair.hangs.set()
        return len(chosen)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            pair = Pair(client, server)
            self.pairs.append(pair)
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(pair, source, target), daemon=True).start()

    def _pass(self, pair: Pair, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if source is pair.client and len(pair.asked) < self.REMEMBERED:
                    pair.asked += data
                if pair.hangs.is_set():
                    continue
                target.sendall(data)
        if not pair.hangs.is_set():
            pair.close()
