"""What every answer carries: content security policy with a fresh nonce, nosniff, and Flower's CORS rule."""

import secrets
from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from umbel.auth.base import Guard
from umbel.web.endpoint import NONCE

#: Flower's CORS headers, sent where nobody has to log in and the API was opened explicitly.
CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-headers": "x-requested-with,access-control-allow-origin,authorization,content-type",
    "access-control-allow-methods": "PUT, DELETE, OPTIONS, POST, GET, PATCH",
}
_FIXED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}


class Shield:
    """The outermost layer: adds headers to every HTTP answer; JSON is kept by nobody unless its handler says so."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope[NONCE] = nonce

        async def send_shielded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers(nonce):
                    headers.setdefault(name, value)
                if "json" in headers.get("content-type", ""):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, send_shielded)

    def _headers(self, nonce: str) -> Iterable[tuple[str, str]]:
        yield from _FIXED.items()
        yield "content-security-policy", content_security_policy(nonce)
        if not self._guard.has_login and self._guard.api_is_open:
            yield from CORS.items()


def content_security_policy(nonce: str) -> str:
    """Everything from this server only; inline styles need the nonce, inline scripts never run."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' 'nonce-{nonce}'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )
