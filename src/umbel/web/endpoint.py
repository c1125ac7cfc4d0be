"""One path of the route table: its handlers by method, always behind the guard.

Answers OPTIONS and unknown methods itself, and leaves the wording of refusals to `application.render`.
"""

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from umbel.auth.base import ANONYMOUS, Access, Asked, Denial, Guard, Identity
from umbel.web.problem import ACCESS_DENIED, NO_MESSAGE, Family, Refused

Handler = Callable[[Request], Awaitable[Response | ASGIApp]]

#: Keys under which the endpoint leaves what it knows in the ASGI scope.
FAMILY = "umbel.family"
IDENTITY = "umbel.identity"
NONCE = "umbel.nonce"


#: Methods that change nothing. A POST that only reads has to be declared as such.
_SAFE = frozenset({"GET", "HEAD"})


class Endpoint:
    """An ASGI application for one path. The one place where a route meets the guard, so also read-only mode."""

    def __init__(
        self,
        guard: Guard,
        family: Family,
        access: Access | Mapping[str, Access],
        handlers: Mapping[str, Handler],
        *,
        reads_by_post: bool = False,
    ) -> None:
        """`access` is that of all methods, or by method.

        Raises:
            ValueError: A method that changes something would be open to whoever may read.
        """
        self._guard = guard
        self._family = family
        self.access = (
            dict.fromkeys(handlers, access)
            if isinstance(access, Access)
            else {m: access[m] for m in handlers}
        )
        self._handlers = handlers
        for method, wanted in self.access.items():
            if method not in _SAFE and not wanted.is_command and not reads_by_post:
                raise ValueError(
                    f"{method} with access {wanted.value}: it would not be kept from read-only users"
                )

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
        if request.method == "OPTIONS":
            if self._guard.has_login or self._family is not Family.FLOWER_API:
                return ANONYMOUS
            access = Access.FLOWER_API
        else:
            access = self.access[request.method]
        headers = request.headers
        verdict = self._guard.check(
            access,
            Asked(
                authorization=_authorization(request),
                fetch_site=headers.get("sec-fetch-site"),
                origin=headers.get("origin"),
                host=headers.get("host"),
            ),
        )
        if isinstance(verdict, Denial):
            raise self._denied(verdict)
        return verdict

    def _denied(self, denial: Denial) -> Refused:
        if self._family is Family.FLOWER_API:
            return Refused(denial.status, denial.message)
        headers = {"www-authenticate": denial.challenge} if denial.challenge else {}
        if self._family is Family.V1:
            message = denial.message or "This server asks for a user name and a password."
            return Refused(denial.status, message, headers=headers)
        return Refused(denial.status, ACCESS_DENIED, headers=headers)

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
