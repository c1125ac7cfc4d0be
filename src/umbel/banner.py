"""The lines that tell a user where the page is and what is watched. `app` logs them once the port is bound."""

from collections.abc import Iterable
from pprint import pformat

from kombu.utils.url import maybe_sanitize_url

from umbel.config import Config


def lines(config: Config, port: int, broker_url_masked: str, task_names: Iterable[str]) -> list[str]:
    """What to log at info level; nothing for `celery -q`.

    Args:
        port: The port that was bound, which `port=0` does not tell.
        broker_url_masked: As `masked` gives it.
        task_names: Tasks that the Celery application knows.
    """
    if config.quiet:
        return []
    return [
        _visit(config, port),
        f"Broker: {broker_url_masked}",
        f"Registered tasks: \n{pformat(sorted(task_names))}",
    ]


def masked(url: str) -> str:
    """A URL, or several separated by `;`, with the passwords hidden."""
    return ";".join(str(maybe_sanitize_url(part)) for part in url.split(";"))


def _visit(config: Config, port: int) -> str:
    if config.unix_socket:
        return f"Visit me via unix socket file: {config.unix_socket}"
    host = config.address or "127.0.0.1"
    if ":" in host:
        host = f"[{host}]"
    prefix = f"/{config.url_prefix}/" if config.url_prefix else ""
    return f"Visit me at {config.scheme}://{host}:{port}{prefix}"
