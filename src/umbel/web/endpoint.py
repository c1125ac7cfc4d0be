"""One path of the route table: its handlers by method, always behind the guard.

Answers OPTIONS and unknown methods itself, and leaves the wording of refusals to `application.render`.
"""

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from umbel.auth.base import ANONYMOUS, Access, Denial, Guard, Identity
from umbel.web.problem import ACCESS_DENIED, NO_MESSAGE, Family, Refused

Handler = Callable[[Request], Awaitable[Response | ASGIApp]]

#: Keys under which the endpoint leaves what it knows in the ASGI scope.
FAMILY = "umbel.family"
IDENTITY = "umbel.identity"
NONCE = "umbel.nonce"


class Endpoint:
    """An ASGI application for one path."""

    def __init__(
        self,
        guard: Guard,
        family: Family,
        access: Access,
        handlers: Mapping[str, Handler],
    ) -> None:
        self._guard = guard
        self._family = family
        self._access = access
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[FAMILY] = self._family
        request = Request(scope, receive)
        handler = self._handlers.get(request.method)
        if handler is None and request.method != "OPTIONS":
            raise self._no_method()
        scope[IDENTITY] = self._admit(request)
        response = Response(status_code=204) if handler is None else await handler(request)
        await response(scope, receive, send)

    def _admit(self, request: Request) -> Identity:
        """The caller's identity, or the refusal that the guard's answer means here."""
        # Flower asks nobody for a password in a preflight, but keeps its closed API closed
        if request.method == "OPTIONS" and (self._guard.has_login or self._access is not Access.FLOWER_API):
            return ANONYMOUS
        verdict = self._guard.check(self._access, _authorization(request))
        if isinstance(verdict, Denial):
            raise self._denied(verdict)
        return verdict

    def _denied(self, denial: Denial) -> Refused:
        if self._family is Family.FLOWER_API:
            return Refused(401, denial.message)
        headers = {"www-authenticate": denial.challenge} if denial.challenge else {}
        if self._family is Family.V1:
            return Refused(401, "This server asks for a user name and a password.", headers=headers)
        return Refused(401, ACCESS_DENIED, headers=headers)

    def _no_method(self) -> Refused:
        allowed = ", ".join([*sorted(self._handlers), "OPTIONS"])
        if self._family is Family.V1:
            return Refused(405, f"Allowed here: {allowed}.", headers={"allow": allowed})
        message = "" if self._family is Family.FLOWER_API else NO_MESSAGE
        return Refused(405, message, headers={"allow": allowed})


def identity_of(request: Request) -> Identity:
    """Who made this request; the guard has let them in."""
    identity: Identity = request.scope[IDENTITY]
    return identity


def _authorization(request: Request) -> bytes | None:
    """The Authorization header's bytes, undecoded: credentials need not be ASCII."""
    for name, value in request.scope["headers"]:
        if name == b"authorization":
            raw: bytes = value
            return raw
    return None
