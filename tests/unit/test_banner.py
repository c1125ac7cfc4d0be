"""The banner's lines, as Flower's users know them."""

import pytest

from umbel.banner import lines, masked
from umbel.config import Config


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (Config(), "Visit me at http://127.0.0.1:80"),
        (Config(address="localhost"), "Visit me at http://localhost:80"),
        (Config(address="::1"), "Visit me at http://[::1]:80"),
        (Config(url_prefix="fl"), "Visit me at http://127.0.0.1:80/fl/"),
        (Config(certfile="/c", keyfile="/k"), "Visit me at https://127.0.0.1:80"),
        (Config(unix_socket="/s"), "Visit me via unix socket file: /s"),
    ],
)
def test_the_first_line_says_where_the_page_is(config: Config, line: str) -> None:
    assert lines(config, 80, "", [])[0] == line


def test_the_broker_and_the_registered_tasks_follow() -> None:
    found = lines(Config(), 80, "redis://:**@h/0", ["b.two", "a.one"])
    assert found[1:] == ["Broker: redis://:**@h/0", "Registered tasks: \n['a.one', 'b.two']"]


def test_quiet_says_nothing() -> None:
    assert lines(Config(quiet=True), 80, "", []) == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:pw@localhost:6379/0", "redis://:**@localhost:6379/0"),
        ("amqp://user:pw@h//", "amqp://user:**@h//"),
        ("amqp://a:pw@h1;amqp://b:pw@h2", "amqp://a:**@h1/;amqp://b:**@h2"),
        ("redis://localhost", "redis://localhost"),
    ],
)
def test_passwords_in_urls_are_hidden(url: str, shown: str) -> None:
    assert masked(url).rstrip("/") == shown.rstrip("/")
