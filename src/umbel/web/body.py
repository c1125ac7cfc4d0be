"""JSON bodies of `/api/v1`, both ways: read up to a bound and checked against a struct, or written as an answer."""

import json
import re
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from umbel.web.problem import Refused

#: Bytes of a body.
LARGEST_BODY = 4_000_000

_B = TypeVar("_B", bound=msgspec.Struct)


async def read_body(request: Request, largest: int = LARGEST_BODY) -> bytes:
    """The whole body. Raises Refused (413) for one that is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > largest:
            raise Refused(413, f"The body is larger than {largest:,} bytes")
    return bytes(body)


async def decode_body(request: Request, kind: type[_B]) -> _B:
    """The body as a `kind`; no body is an empty object. Raises Refused (400, 413, 415)."""
    body = await read_body(request)
    if not body.strip():
        body = b"{}"
    elif not _is_json(request.headers.get("content-type", "")):
        # also keeps forms of other sites' pages out
        raise Refused(415, "The body must be JSON, with content-type application/json.")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as exc:
        found = re.search(r"(?:`\$\.|field `|unknown field `)([^`.\[]+)", str(exc))
        raise Refused(400, f"{exc}.", parameter=found[1] if found else None) from exc
    except (msgspec.DecodeError, RecursionError) as exc:
        raise Refused(400, f"The body is not JSON: {exc}.") from exc


def json_response(value: Any, status: int = 200) -> Response:
    """A struct as an answer that nobody keeps. What workers say may hold half a surrogate pair, which only the standard
    library writes."""
    try:
        body = msgspec.json.encode(value)
    except UnicodeEncodeError:
        body = json.dumps(msgspec.to_builtins(value)).encode()
    return Response(body, status, media_type="application/json", headers={"cache-control": "no-store"})


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")
