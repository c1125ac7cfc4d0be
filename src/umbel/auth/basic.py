"""HTTP basic authentication against `user:password` pairs, in constant time."""

import binascii
import hmac
from base64 import b64decode
from collections.abc import Iterable

from umbel.auth.base import Authenticator, Identity


class BasicAuthenticator(Authenticator):
    """Knows the pairs of `basic_auth`."""

    def __init__(self, pairs: Iterable[str], *, realm: str = "flower") -> None:
        """Each pair is `user:password`; the password may hold colons."""
        self._known = [(pair.partition(":")[0], _spellings(pair)) for pair in pairs]
        self._realm = realm

    @property
    def challenge(self) -> str:
        return f'Basic realm="{self._realm}"'

    def authenticate(self, authorization: bytes | None) -> Identity | None:
        scheme, _, encoded = (authorization or b"").partition(b" ")
        if scheme != b"Basic":
            return None
        try:
            given = b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return None
        found: Identity | None = None
        # every pair is compared, so that the time taken does not tell which one matched
        for user, spellings in self._known:
            for spelling in spellings:
                if hmac.compare_digest(given, spelling):
                    found = Identity(user, "basic")
        return found


def _spellings(pair: str) -> list[bytes]:
    """The bytes that clients send for a pair: UTF-8, and Latin-1 from older ones."""
    spellings = [pair.encode("utf-8", "surrogatepass")]
    try:
        latin = pair.encode("latin-1")
    except UnicodeEncodeError:
        return spellings
    return spellings if latin in spellings else [*spellings, latin]
