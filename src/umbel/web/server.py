"""Binds the address and runs uvicorn on it until a signal ends it. Called by `app.serve`."""

import asyncio
import contextlib
import errno
import gc
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Protocol

import uvicorn
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from umbel.errors import ConfigError

#: Seconds that requests under way are given at a stop; streams are told to end at once.
GRACE = 3
_BACKLOG = 1024


class ServerSettings(Protocol):
    """What `umbel.config.Config` must offer here."""

    @property
    def address(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def unix_socket(self) -> str: ...
    @property
    def certfile(self) -> str | None: ...
    @property
    def keyfile(self) -> str | None: ...
    @property
    def ca_certs(self) -> str | None: ...
    @property
    def xheaders(self) -> bool: ...
    @property
    def debug(self) -> bool: ...


@contextlib.contextmanager
def listening(settings: ServerSettings) -> Iterator[list[socket.socket]]:
    """The bound sockets: one per address that the name stands for, so `localhost` and "" take IPv4 and IPv6.

    Raises:
        ConfigError: The address is not ours or the port is taken.
    """
    sockets = _bind_unix(settings.unix_socket) if settings.unix_socket else _bind_tcp(settings)
    try:
        yield sockets
    finally:
        for bound in sockets:
            bound.close()
        if settings.unix_socket:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(settings.unix_socket)


def port_of(sockets: Sequence[socket.socket]) -> int:
    """The port that was bound, 0 for a unix socket."""
    name = sockets[0].getsockname()
    return int(name[1]) if isinstance(name, tuple) else 0


def run(
    app: ASGIApp,
    settings: ServerSettings,
    sockets: list[socket.socket],
    on_stop: Callable[[], None],
) -> None:
    """Serve until SIGINT or SIGTERM. `on_stop` is called when the stop begins, from the event loop."""
    secure = bool(settings.certfile) and not settings.unix_socket
    config = uvicorn.Config(
        RealAddress(app) if settings.xheaders else app,
        log_config=None,
        log_level="debug" if settings.debug else "warning",
        access_log=settings.debug,
        lifespan="on",
        proxy_headers=settings.xheaders,
        forwarded_allow_ips="*" if settings.xheaders else None,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=GRACE,
        ssl_certfile=settings.certfile if secure else None,
        ssl_keyfile=settings.keyfile if secure else None,
        ssl_ca_certs=settings.ca_certs if secure else None,
    )
    settle()
    _Server(config, on_stop).run(sockets)


def settle() -> None:
    """Tune Python for answering: what the start made is never looked at by the garbage collector again, which then
    stops requests for less than a millisecond; and a thread that computes lets the event loop in after 1 ms, not 5."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    sys.setswitchinterval(0.001)


class RealAddress:
    """Believes X-Real-Ip and X-Scheme, which beat the X-Forwarded-* headers that uvicorn reads, as in Flower."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            address, scheme = headers.get("x-real-ip"), headers.get("x-scheme")
            if address:
                scope = {**scope, "client": (address, 0)}
            if scheme in ("http", "https"):
                scope = {**scope, "scheme": scheme}
        await self._app(scope, receive, send)


class DatedState(ServerState):
    """What uvicorn's connections share, with a date that an answer makes when it asks for one.

    uvicorn makes it at intervals, whether anybody asks or not.
    """

    def __init__(self) -> None:
        super().__init__()
        self._second = 0

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of every answer that the server itself adds: the date."""
        second = int(time.time())
        if second != self._second:
            self._headers = [(b"date", formatdate(second, usegmt=True).encode())]
            self._second = second
        return self._headers

    @default_headers.setter
    def default_headers(self, headers: list[tuple[bytes, bytes]]) -> None:
        self._headers = headers


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop
        self.server_state = DatedState()

    async def main_loop(self) -> None:
        """Sleep until a signal: uvicorn would look for one ten times a second."""
        told = asyncio.Event()

        def leave(number: int) -> None:
            self.handle_exit(number, None)
            told.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, leave, number)
        if not self.should_exit:  # a signal before these handlers were there
            await told.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()
        await super().shutdown(sockets)
        # uvicorn would raise the signal again, and a stop that was asked for ends with exit code 0
        self._captured_signals.clear()


def _bind_tcp(settings: ServerSettings) -> list[socket.socket]:
    host = settings.address or None
    try:
        found = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as exc:
        raise ConfigError(f"address: {settings.address!r} is not a known address or host name") from exc
    sockets: list[socket.socket] = []
    port = settings.port
    refused: OSError | None = None
    for family, kind, protocol, _, address in dict.fromkeys(found):
        try:
            bound = socket.socket(family, kind, protocol)
        except OSError as exc:  # a kernel without IPv6
            refused = exc
            continue
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.bind((address[0], port, *address[2:]))
            bound.listen(_BACKLOG)
        except OSError as exc:
            bound.close()
            refused = exc
            if sockets or family == socket.AF_INET6:
                continue
            break
        sockets.append(bound)
        port = port_of(sockets)
    if not sockets or (refused is not None and refused.errno == errno.EADDRINUSE):
        for bound in sockets:
            bound.close()
        shown = settings.address or "all interfaces"
        raise ConfigError(f"port: cannot listen on {shown}, port {settings.port}: {_reason(refused)}")
    return sockets


def _bind_unix(path: str) -> list[socket.socket]:
    """A socket file that everybody may connect to, as Flower's; one that nobody listens on any more is replaced."""
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(Path(path).stat().st_mode) and bound.connect_ex(path) == errno.ECONNREFUSED:
            os.unlink(path)
    try:
        bound.bind(path)
        os.chmod(path, 0o777)
        bound.listen(_BACKLOG)
    except OSError as exc:
        bound.close()
        raise ConfigError(f"unix_socket: cannot listen on {path}: {_reason(exc)}") from exc
    return [bound]


def _reason(error: OSError | None) -> str:
    return (error.strerror if error is not None else None) or str(error)
