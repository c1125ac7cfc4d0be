"""One HTTP request with everything a test wants to look at; no redirects followed, no errors raised.

Used by `UmbelServer.get` and the other servers; leaves streams to the tests that read them.
"""

import base64
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """What a server said. Header names are as sent and are found in any case."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the decoded body."""
        return json.loads(self.body)


def send_request(
    url: str,
    method: str = "GET",
    *,
    body: bytes | str | None = None,
    auth: tuple[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 20.0,
) -> Answer:
    """Send one request and return its answer, whatever its status.

    Args:
        auth: User and password for basic authentication.
    Raises:
        OSError: Nobody answers.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    sent = dict(headers or {})
    if auth is not None:
        sent["Authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.hostname, parts.port, timeout=timeout)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body=body, headers=sent)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    except http.client.HTTPException as exc:
        raise ConnectionError(f"{url}: {exc!r}") from exc
    finally:
        connection.close()
