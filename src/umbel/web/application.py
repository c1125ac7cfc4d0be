"""The ASGI application: shield, prefix, routes and the wording of refusals, in this order. `build` makes it."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import create_task_group
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from umbel.auth.base import Guard
from umbel.errors import StoreError
from umbel.web.api import prefix_of
from umbel.web.deps import Deps
from umbel.web.endpoint import FAMILY
from umbel.web.operations import PREFIX
from umbel.web.pages import NO_PAGE, Pages
from umbel.web.preparing import Preparation
from umbel.web.present import Present
from umbel.web.problem import Family, Refused, problem_response, text_response
from umbel.web.routes import Table
from umbel.web.security import Shield
from umbel.web.static_files import HTML_TYPE, bare
from umbel.web.stream import Stream

logger = logging.getLogger(__name__)


class WebApplication:
    """The whole web side as one ASGI application."""

    def __init__(self, app: ASGIApp, stream: Stream) -> None:
        self._app = app
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def close_streams(self) -> None:
        """End all live streams, so that a server can stop at once. From the event loop."""
        self._stream.close()


def build(deps: Deps) -> WebApplication:
    """The application over `deps`. The server that runs it calls `close_streams` when it is told to stop."""
    guard = Guard(deps.authenticator, deps.environ, read_only=deps.config.read_only)
    present = Present(deps)
    stream = Stream(deps, present)
    table = Table(deps, guard, stream, present)
    preparation = Preparation(deps.reader, table.usual())
    renderer = Renderer(table.pages)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with create_task_group() as tasks:
            tasks.start_soon(stream.run)
            preparation.start()
            yield
            preparation.stop()
            stream.close()
            tasks.cancel_scope.cancel()

    starlette = Starlette(
        routes=[
            *table.routes(),
            *([] if deps.config.url_prefix else table.root_routes()),
        ],
        lifespan=lifespan,
        exception_handlers={
            Refused: renderer.refused,
            StoreError: renderer.store_error,
            HTTPException: renderer.http_error,
            Exception: renderer.crash,
        },
    )
    starlette.router.redirect_slashes = False
    starlette.router.default = table.nowhere(_nowhere)
    root = Router(table.root_routes(), redirect_slashes=False)
    root.default = _outside
    return WebApplication(
        Shield(Prefix(starlette, root, prefix_of(deps.config.url_prefix)), guard),
        stream,
    )


class Prefix:
    """Takes `url_prefix` off paths below it, as Flower does: `/flower/` is the index, `/flowerx` a 404 page."""

    def __init__(self, app: ASGIApp, root: ASGIApp, prefix: str) -> None:
        self._app = app
        self._root = root
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._prefix:
            path: str = scope["path"]
            if not path.startswith(self._prefix):
                await self._root(scope, receive, send)
                return
            scope = {**scope, "path": path.removeprefix(self._prefix)}
        await self._app(scope, receive, send)


class Renderer:
    """Words every refusal in the manner of its route's family."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    async def refused(self, request: Request, exc: Exception) -> Response:
        """A handler or the guard said no."""
        assert isinstance(exc, Refused)
        family = _family(request)
        if family is Family.V1:
            return problem_response(exc)
        if family is Family.FLOWER_API:
            return text_response(exc) if exc.message else Response(None, exc.status, _html(exc))
        if family is Family.PAGE and exc.status == 404:
            return await self._pages.shell(request, 404, exc.message)
        if exc.status == 401:
            return Response(exc.message, 401, _html(exc))
        return Response(exc.message, exc.status, {**exc.headers, "content-type": "text/plain"})

    async def store_error(self, request: Request, exc: Exception) -> Response:
        """The history can't be read now; the next request may fare better."""
        logger.warning("The history can't be read: %s", exc)
        return await self.refused(request, Refused(503, f"The history can't be read now: {exc}"))

    async def http_error(self, request: Request, exc: Exception) -> Response:
        """What Starlette itself refuses: a body that is no form, say."""
        assert isinstance(exc, HTTPException)
        return await self.refused(request, Refused(exc.status_code, exc.detail))

    async def crash(self, request: Request, _: Exception) -> Response:
        """A bug of ours. Starlette raises it again, so the server logs it with its traceback."""
        if _family(request) is Family.V1:
            return problem_response(Refused(500, "This is a fault of the server; its log says more."))
        if _family(request) is Family.FLOWER_API:
            return Response(None, 500, {"content-type": HTML_TYPE})
        return Response("Error 500", 500, {"content-type": "text/plain"})


def _family(request: Request) -> Family:
    family: Family = request.scope.get(FAMILY, Family.PAGE)
    return family


def _html(refused: Refused) -> dict[str, str]:
    return {**refused.headers, "content-type": HTML_TYPE}


async def _nowhere(request: Request) -> Response:
    """No route below the prefix: a page's 404, or a problem below `/api/v1/`."""
    if request.url.path.startswith(PREFIX + "/"):
        request.scope[FAMILY] = Family.V1
        raise Refused(404, "There is no such resource.")
    raise Refused(404, NO_PAGE)


async def _outside(scope: Scope, receive: Receive, send: Send) -> None:
    """No route at all: outside of the prefix."""
    await bare(404)(scope, receive, send)
