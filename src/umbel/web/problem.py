"""Refusals: one exception for every handler, worded as each family of routes words its errors.

Flower's API answers plain text, Flower's pages a page or plain text, `/api/v1` problem+json (RFC 9457).
"""

from enum import Enum

import msgspec
from starlette.responses import Response

from umbel.web.schema import Problem

PROBLEM_TYPE = "application/problem+json"
TEXT_TYPE = "text/plain; charset=UTF-8"
#: Flower's words for its pages' 401, and what it answers to a method that a page does not have.
ACCESS_DENIED = "Access denied"
NO_MESSAGE = "None"

_TITLES = {
    400: "Bad request",
    401: "Not logged in",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Not possible",
    413: "Too large",
    415: "Not JSON",
    500: "Internal error",
    503: "Unavailable",
}


class Family(Enum):
    """Whose manners a route has."""

    PAGE = "page"
    FLOWER_API = "flower-api"
    V1 = "v1"
    #: Health and metrics: plain text, never a page.
    PLAIN = "plain"


class Refused(Exception):
    """A request that can't be answered: `status` with `message` for people, `parameter` where one is at fault."""

    def __init__(
        self,
        status: int,
        message: str = "",
        *,
        parameter: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status = status
        self.message = message
        self.parameter = parameter
        self.headers = headers or {}
        super().__init__(message)


def problem_response(refused: Refused) -> Response:
    """The refusal as problem+json."""
    problem = Problem(
        title=_TITLES.get(refused.status, "Error"),
        status=refused.status,
        detail=refused.message,
        parameter=refused.parameter,
    )
    headers = {
        **refused.headers,
        "content-type": PROBLEM_TYPE,
        "cache-control": "no-store",
    }
    return Response(msgspec.json.encode(problem), refused.status, headers)


def text_response(refused: Refused) -> Response:
    """The refusal as Flower's API words it: the message alone, or nothing."""
    return Response(refused.message, refused.status, {"content-type": TEXT_TYPE, **refused.headers})
