"""A RabbitMQ management API that misbehaves: it answers what it is told to, and as slowly as it is told to."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.servers.process import free_port


class ManagementStub:
    """Serves from a thread. `status`, `body`, `delay` (seconds before it answers) and `drip` (seconds between the
    bytes of an answer) may be changed at any time.

    Args:
        tls: How it speaks TLS; None for plain HTTP.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.status = 200
        self.body = b"[]"
        self.content_type = "application/json"
        self.delay = 0.0
        self.drip = 0.0
        #: Paths asked for, with their Authorization headers.
        self.asked: list[tuple[str, str]] = []
        self.port = free_port()
        self._stopped = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._make_handler())
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._scheme = "https" if tls else "http"

    @property
    def url(self) -> str:
        """What `broker_api` is to be."""
        return f"{self._scheme}://guest:guest@127.0.0.1:{self.port}/api/"

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stub.asked.append((self.path, self.headers.get("Authorization", "")))
                stub._stopped.wait(stub.delay)
                try:
                    self.send_response(stub.status)
                    self.send_header("Content-Type", stub.content_type)
                    self.end_headers()
                    stub._write(self.wfile)
                except OSError:
                    pass  # the client has hung up

            def log_message(self, *_: Any) -> None:
                """Nobody reads it."""

        return Handler

    def _write(self, out: Any) -> None:
        if not self.drip:
            out.write(self.body)
            return
        for byte in self.body:
            if self._stopped.wait(self.drip):
                return
            out.write(bytes([byte]))
            out.flush()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5.0)
