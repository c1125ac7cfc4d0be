"""Who is asking, and the one guard that says whether they may: every route names its `Access`, nothing is open
by default. Knows nothing of HTTP libraries; `web.endpoint` calls `Guard.check` before any handler runs.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import Enum
from typing import Literal

import msgspec

#: Words for on in environment variables, any case.
_ON = frozenset({"y", "yes", "t", "true", "on", "1"})


class Access(Enum):
    """What a route asks of the one who calls it."""

    #: Nothing, ever: health, metrics, static files, 404 pages.
    OPEN = "open"
    #: A login where one is configured; else open. Pages and `/api/v1` reads.
    READ = "read"
    #: A login where one is configured; else FLOWER_UNAUTHENTICATED_API. Flower's `/api/*`.
    FLOWER_API = "flower-api"
    #: As FLOWER_API, for what changes a worker or a task: never in read-only mode, and not from another site's page
    #: where a login is configured (without one, Flower's CORS headers let every page in).
    FLOWER_COMMAND = "flower-command"
    #: The same for `/api/v1`, never from another site's page.
    COMMAND = "command"

    @property
    def is_command(self) -> bool:
        """Whoever is let in here may change a worker or a task."""
        return self in (Access.FLOWER_COMMAND, Access.COMMAND)


class Identity(msgspec.Struct, frozen=True):
    """The one who asks. `name` is None for somebody nobody asked to log in."""

    name: str | None
    #: "none" | "basic".
    method: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the guard looks at of a request: header values as received, None where there is none."""

    authorization: bytes | None = None
    #: Sec-Fetch-Site, which browsers send.
    fetch_site: str | None = None
    origin: str | None = None
    host: str | None = None


class Denial(msgspec.Struct, frozen=True):
    """Why the guard said no."""

    #: For the caller to read; "" where Flower says nothing.
    message: str
    #: Value of WWW-Authenticate; None where logging in would not help.
    challenge: str | None
    #: 401: not without a login or the variable; 403: not at all.
    status: int = 401


ANONYMOUS = Identity(None, "none")

API_CLOSED = (
    "FLOWER_UNAUTHENTICATED_API environment variable is required to enable API without authentication"
)

#: Flower's words.
READ_ONLY = "Read only mode is enabled"
CROSS_SITE = "Cross-site request forbidden"
CROSS_ORIGIN = "Cross-origin request forbidden"


class Authenticator(ABC):
    """One way to log in."""

    @property
    @abstractmethod
    def challenge(self) -> str:
        """Value of WWW-Authenticate."""

    @abstractmethod
    def authenticate(self, authorization: bytes | None) -> Identity | None:
        """The identity behind an Authorization header as received; None when there is none. Never raises."""


class Guard:
    """Answers every request's question 'may I?' in one place."""

    def __init__(
        self, authenticator: Authenticator | None, environ: Mapping[str, str], *, read_only: bool = False
    ) -> None:
        """`environ` is read on each request, as Flower does, so that the API can be opened without a restart."""
        self._authenticator = authenticator
        self._environ = environ
        self._read_only = read_only

    @property
    def has_login(self) -> bool:
        """Some way to log in is configured."""
        return self._authenticator is not None

    @property
    def api_is_open(self) -> bool:
        """The unauthenticated API was explicitly asked for."""
        return unauthenticated_api(self._environ)

    @property
    def stance(self) -> Literal["open", "read_only", "closed"]:
        """Whether commands of those who may read are let in, and if not, why."""
        if self._read_only:
            return "read_only"
        return "open" if self.has_login or self.api_is_open else "closed"

    def check(self, access: Access, asked: Asked) -> Identity | Denial:
        """Who asks, or why they may not: closed API, foreign page, login, read-only mode, in Flower's order."""
        if access is Access.OPEN:
            return ANONYMOUS
        if self._authenticator is None and access is not Access.READ and not self.api_is_open:
            return Denial(API_CLOSED, None)
        if access is Access.COMMAND or (access is Access.FLOWER_COMMAND and self.has_login):
            reason = _foreign_page(asked)
            if reason is not None:
                return Denial(reason, None, 403)
        identity = ANONYMOUS
        if self._authenticator is not None:
            known = self._authenticator.authenticate(asked.authorization)
            if known is None:
                return Denial("", self._authenticator.challenge)
            identity = known
        if access.is_command and self._read_only:
            return Denial(READ_ONLY, None, 403)
        return identity


def _foreign_page(asked: Asked) -> str | None:
    """Why a request comes from another site's page; None when it does not, or from no browser."""
    if asked.fetch_site and asked.fetch_site != "same-origin":
        return CROSS_SITE
    if asked.origin and asked.origin.partition("://")[2].lower() != (asked.host or "").lower():
        return CROSS_ORIGIN
    return None


def unauthenticated_api(environ: Mapping[str, str]) -> bool:
    """Whether UMBEL_UNAUTHENTICATED_API, else FLOWER_UNAUTHENTICATED_API, opens Flower's API to everybody.

    Any word but those for on counts as off: closed is the safe reading of a typing error.
    """
    for name in ("UMBEL_UNAUTHENTICATED_API", "FLOWER_UNAUTHENTICATED_API"):
        word = environ.get(name, "").strip().lower()
        if word:
            return word in _ON
    return False
