"""Arguments as Flower takes them: query string and form body merged, the last value wins, typed with its errors.

Unlike Flower, nothing is HTML-escaped on the way in: escaping belongs to whoever writes HTML.
"""

import math
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qsl

from starlette.requests import Request

from umbel.web.problem import Refused

_ON = frozenset({"y", "yes", "t", "true", "on", "1"})
_OFF = frozenset({"n", "no", "f", "false", "off", "0"})
_URLENCODED = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
#: Bytes of a form: DataTables sends a few thousand.
_LARGEST_FORM = 1_000_000


class Arguments:
    """The arguments of one request; values are stripped."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    @classmethod
    async def read(cls, request: Request) -> "Arguments":
        """Query first, form body after it."""
        values = {name: value.strip() for name, value in request.query_params.multi_items()}
        content_type = request.headers.get("content-type", "")
        kind = content_type.partition(";")[0].strip().lower()
        if kind in (_URLENCODED, _MULTIPART):
            body = await _body(request)
            pairs = _multipart(content_type, body) if kind == _MULTIPART else _urlencoded(body)
            values.update({name: value.strip() for name, value in pairs})
        return cls(values)

    def get_text(self, name: str, default: str = "") -> str:
        """A text; `default` when absent."""
        return self._values.get(name, default)

    def get_int(self, name: str, default: int | None = None) -> int | None:
        """A whole number; `default` when absent. Raises Refused (400)."""
        value = self._values.get(name)
        if value is None:
            return default
        try:
            return int(value)
        except ValueError as exc:
            raise _invalid(value, "int") from exc

    def need_int(self, name: str) -> int:
        """A whole number that must be there and not empty. Raises Refused (400)."""
        value = self.get_int(name) if self._values.get(name) else None
        if value is None:
            raise Refused(400, f"Missing argument {name}")
        return value

    def need_text(self, name: str) -> str:
        """A text that must be there and not empty. Raises Refused (400)."""
        value = self._values.get(name)
        if not value:
            raise Refused(400, f"Missing argument {name}")
        return value

    def get_float(self, name: str) -> float | None:
        """A number; None when absent. Raises Refused (400)."""
        value = self._values.get(name)
        if value is None:
            return None
        try:
            number = float(value)
        except ValueError as exc:
            raise _invalid(value, "float") from exc
        if math.isnan(number):
            raise _invalid(value, "float")
        return number

    def get_bool(self, name: str) -> bool:
        """On or off; off when absent. Raises Refused (400)."""
        value = self._values.get(name)
        if value is None:
            return False
        word = value.lower()
        if word in _ON or word in _OFF:
            return word in _ON
        raise _invalid(value, "bool")


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM:
            raise Refused(413, "The form is too large")
    return bytes(body)


def _urlencoded(body: bytes) -> list[tuple[str, str]]:
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)


def _multipart(content_type: str, body: bytes) -> list[tuple[str, str]]:
    """The fields of a multipart form; files are none of our arguments."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    fields = []
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and part.get_filename() is None and isinstance(content, bytes):
            fields.append((name, content.decode("utf-8", "replace")))
    return fields


def _invalid(value: str, kind: str) -> Refused:
    return Refused(400, f"Invalid argument '{value}' of type '{kind}'")
