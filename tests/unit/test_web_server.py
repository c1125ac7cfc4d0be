"""What the server believes of a proxy's headers, and how it binds."""

import socket

import pytest
from starlette.types import Message, Receive, Scope, Send

from umbel.config import Config
from umbel.errors import ConfigError
from umbel.web.server import DatedState, RealAddress, listening, port_of


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ("http", "10.0.0.1")),
        ({"x-real-ip": "192.0.2.7"}, ("http", "192.0.2.7")),
        ({"x-scheme": "https", "x-real-ip": "2001:db8::7"}, ("https", "2001:db8::7")),
        ({"x-scheme": "javascript"}, ("http", "10.0.0.1")),
    ],
)
async def test_a_proxys_word_on_address_and_scheme_is_believed(
    headers: dict[str, str], expected: tuple[str, str]
) -> None:
    seen: list[tuple[str, str]] = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        seen.append((scope["scheme"], scope["client"][0]))

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        pass

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "scheme": "http", "client": ("10.0.0.1", 4711), "headers": raw}
    await RealAddress(app)(scope, receive, send)
    assert seen == [expected]


def test_the_date_is_made_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    state, now = DatedState(), 784_111_777.9
    monkeypatch.setattr("umbel.web.server.time.time", lambda: now)
    first = state.default_headers
    assert first == [(b"date", b"Sun, 06 Nov 1994 08:49:37 GMT")]
    assert state.default_headers is first
    now += 0.2
    assert state.default_headers == [(b"date", b"Sun, 06 Nov 1994 08:49:38 GMT")]


def test_port_zero_takes_one_free_port_for_all_addresses_of_a_name() -> None:
    with listening(Config(address="localhost", port=0)) as sockets:
        port = port_of(sockets)
        assert port > 0
        assert {bound.getsockname()[1] for bound in sockets} == {port}


def test_a_taken_port_is_one_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(ConfigError, match=f"port {port}: Address already in use"),
            listening(Config(address="127.0.0.1", port=port)),
        ):
            pass


def test_an_unknown_address_is_one_clear_error() -> None:
    with (
        pytest.raises(ConfigError, match="not a known address"),
        listening(Config(address="no.such.host.invalid")),
    ):
        pass
