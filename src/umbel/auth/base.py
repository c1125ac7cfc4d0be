"""Who is asking, and the one guard that says whether they may: every route names its `Access`, nothing is open
by default. Knows nothing of HTTP libraries; `web.endpoint` calls `Guard.check` before any handler runs.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import Enum

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


class Identity(msgspec.Struct, frozen=True):
    """The one who asks. `name` is None for somebody nobody asked to log in."""

    name: str | None
    #: "none" | "basic".
    method: str


class Denial(msgspec.Struct, frozen=True):
    """Why the guard said no."""

    #: For the caller to read; "" where Flower says nothing.
    message: str
    #: Value of WWW-Authenticate; None where logging in would not help.
    challenge: str | None


ANONYMOUS = Identity(None, "none")

API_CLOSED = (
    "FLOWER_UNAUTHENTICATED_API environment variable is required to enable API without authentication"
)


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

    def __init__(self, authenticator: Authenticator | None, environ: Mapping[str, str]) -> None:
        """`environ` is read on each request, as Flower does, so that the API can be opened without a restart."""
        self._authenticator = authenticator
        self._environ = environ

    @property
    def has_login(self) -> bool:
        """Some way to log in is configured."""
        return self._authenticator is not None

    @property
    def api_is_open(self) -> bool:
        """The unauthenticated API was explicitly asked for."""
        return unauthenticated_api(self._environ)

    def check(self, access: Access, authorization: bytes | None) -> Identity | Denial:
        """Who asks, or why they may not."""
        if access is Access.OPEN:
            return ANONYMOUS
        if self._authenticator is None:
            if access is Access.FLOWER_API and not self.api_is_open:
                return Denial(API_CLOSED, None)
            return ANONYMOUS
        identity = self._authenticator.authenticate(authorization)
        return identity or Denial("", self._authenticator.challenge)


def unauthenticated_api(environ: Mapping[str, str]) -> bool:
    """Whether UMBEL_UNAUTHENTICATED_API, else FLOWER_UNAUTHENTICATED_API, opens Flower's API to everybody.

    Any word but those for on counts as off: closed is the safe reading of a typing error.
    """
    for name in ("UMBEL_UNAUTHENTICATED_API", "FLOWER_UNAUTHENTICATED_API"):
        word = environ.get(name, "").strip().lower()
        if word:
            return word in _ON
    return False
