"""Queues of RabbitMQ from its management API."""

import base64
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Collection
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from celery import Celery

from umbel.brokers.base import BrokerInspector, Capabilities, QueueDepth
from umbel.errors import BrokerUnavailable

#: Seconds for the whole question.
TIMEOUT = 2.0
DEFAULT_PORT = 15672


class RabbitInspector(BrokerInspector):
    """One GET of the virtual host's queues per question."""

    def __init__(self, app: Celery, broker_api: str | None) -> None:
        """`broker_api`: the management API's URL, with or without its final slash; None for port 15672 of the
        broker's host with the broker's own credentials."""
        self._app = app
        self._broker_api = broker_api

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(ready=True, unacked=True, consumers=True, idle_since=True)

    def fetch_queues(self, names: Collection[str]) -> list[QueueDepth]:
        wanted = set(names)
        return [_depth(raw) for raw in self._fetch() if raw.get("name") in wanted]

    def _fetch(self) -> list[dict[str, Any]]:
        url, credentials, context = self._request()
        token = base64.b64encode(credentials.encode()).decode()
        request = urllib.request.Request(url, headers={"Authorization": f"Basic {token}"})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT, context=context) as response:
                queues = json.load(response)
        except (OSError, ValueError) as exc:
            # urllib's errors are OSErrors; their text holds no credentials
            raise BrokerUnavailable(f"The RabbitMQ management API gave no answer: {exc}") from exc
        if not isinstance(queues, list):
            raise BrokerUnavailable("The RabbitMQ management API answered with something else than queues.")
        return [queue for queue in queues if isinstance(queue, dict)]

    def _request(self) -> tuple[str, str, ssl.SSLContext | None]:
        """URL without credentials, `user:password`, and how to check the server's certificate."""
        connection = self._app.connection_for_read()
        vhost = connection.virtual_host or "/"
        user, password = connection.userid or "guest", connection.password or "guest"
        if self._broker_api is None:
            base, split = (
                f"http://{_bracketed(connection.hostname)}:{DEFAULT_PORT}/api/",
                None,
            )
        else:
            split = urlsplit(self._broker_api)
            host = split.netloc.rpartition("@")[2]
            base = urlunsplit((split.scheme, host, split.path.rstrip("/") + "/", "", ""))
        if split is not None and split.username:
            user, password = unquote(split.username), unquote(split.password or "")
        context = _context(connection.ssl) if base.startswith("https:") else None
        return f"{base}queues/{quote(vhost, safe='')}", f"{user}:{password}", context


def _context(broker_use_ssl: Any) -> ssl.SSLContext:
    """Certificates are checked unless the broker's own settings say not to."""
    options = broker_use_ssl if isinstance(broker_use_ssl, dict) else {}
    authority = options.get("ca_certs") or options.get("ssl_ca_certs")
    context = ssl.create_default_context(cafile=authority)
    if ssl.CERT_NONE in (options.get("cert_reqs"), options.get("ssl_cert_reqs")):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _bracketed(host: str | None) -> str:
    host = host or "localhost"
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _depth(raw: dict[str, Any]) -> QueueDepth:
    return QueueDepth(
        name=str(raw["name"]),
        messages=int(raw.get("messages") or 0),
        ready=raw.get("messages_ready"),
        unacked=raw.get("messages_unacknowledged"),
        consumers=raw.get("consumers"),
        idle_since=raw.get("idle_since"),
        raw=raw,
    )
