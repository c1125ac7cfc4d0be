"""Sends one case to one monitor over a plain HTTP/1.1 connection and keeps what came back."""

import base64
import hashlib
import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from tests.compat.cases import Case
from tests.compat.cluster import Monitor


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; header names are lower case, a repeated header's values are joined by `, `."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "backslashreplace")


def fetch(case: Case, monitor: Monitor, words: Mapping[str, str]) -> Answer:
    """Send `case` to `monitor`; `words` are the values of the placeholders.

    Raises:
        OSError: No complete HTTP answer.
    """
    target = fill(case.target, words)
    headers = dict(case.headers)
    if "{etag}" in headers.values():
        first = send(monitor.port, case.method, target, {}, None)
        headers = {name: first.headers.get("etag", "none") for name in headers}
    if case.credentials is not None:
        headers["Authorization"] = write_authorization(case.credentials)
    body = case.body
    if case.form is not None:
        body = urlencode([(name, fill(value, words)) for name, value in case.form])
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    return send(monitor.port, case.method, target, headers, body)


def fill(text: str, words: Mapping[str, str]) -> str:
    """Put `words` in place of `{name}`."""
    for name, value in words.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def write_authorization(credentials: str) -> str:
    """Return the header value for `user:password`, or what follows the word `header`."""
    if credentials.startswith("header "):
        return credentials.removeprefix("header ")
    return "Basic " + base64.b64encode(credentials.encode()).decode()


def send(port: int, method: str, target: str, headers: Mapping[str, str], body: str | None) -> Answer:
    """Send one request to loopback and read the whole answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, target, None if body is None else body.encode(), dict(headers))
        response = connection.getresponse()
        found: dict[str, str] = {}
        for name, value in response.getheaders():
            key = name.lower()
            found[key] = f"{found[key]}, {value}" if key in found else value
        return Answer(response.status, found, response.read())
    finally:
        connection.close()


def fingerprint(answer: Answer) -> str:
    """Return a short name of a body."""
    return hashlib.sha256(answer.body).hexdigest()[:12]
