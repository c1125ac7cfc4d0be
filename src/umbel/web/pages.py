"""The page's shell at Flower's URLs, with the statuses that the server knows: unknown task, worker or route is 404.

The page itself is the built UI; it asks `/api/v1` for what it shows.
"""

from html import escape
from pathlib import Path

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from umbel.web.api import prefix_of
from umbel.web.arguments import Arguments
from umbel.web.deps import Deps
from umbel.web.endpoint import NONCE
from umbel.web.flower_workers import FlowerWorkers
from umbel.web.lookup import find_task
from umbel.web.present import Present
from umbel.web.problem import Refused
from umbel.web.static_files import HTML_TYPE

#: Flower's words for a route that does not exist.
NO_PAGE = "Error, page not found"
_MISSING = (
    "The web page is not part of this installation: the folder {folder} has no index.html.\n"
    "Install Umbel from a wheel, or build the page from a clone with 'pip install .'.\n"
    "The API works without it: {prefix}/api/v1/openapi.json\n"
)


class Pages:
    """Handlers that all answer with the same shell."""

    def __init__(self, deps: Deps, present: Present, workers: FlowerWorkers) -> None:
        self._deps = deps
        self._present = present
        self._workers = workers
        self._prefix = prefix_of(deps.config.url_prefix)
        self._index = deps.ui_folder / "index.html"

    async def workers(self, request: Request) -> Response:
        """`/` and `/workers`: the dashboard, or Flower's JSON with `json=1`."""
        arguments = await Arguments.read(request)
        if arguments.get_bool("json"):
            return await self._workers.table(request)
        if arguments.get_bool("refresh"):
            self._deps.inspector.request()
        return await self.shell(request)

    async def plain(self, request: Request) -> Response:
        """A page that always exists."""
        return await self.shell(request)

    async def worker(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._deps.inspector.get_workers():
            known = await run_sync(self._present.fetch_listed)
            if all(worker.hostname != name for worker in known):
                raise Refused(404, f"Unknown worker '{name}'")
        return await self.shell(request)

    async def task(self, request: Request) -> Response:
        uuid = request.path_params["uuid"]
        try:
            await find_task(self._deps, uuid)
        except Refused as exc:
            if exc.status == 404:
                raise
            return await self.shell(request, exc.status, exc.message)
        return await self.shell(request)

    async def shell(self, request: Request, status: int = 200, message: str = "") -> Response:
        """The built page with prefix, nonce and, for errors, a message that also reads without JavaScript."""
        html = await run_sync(_read, self._index)
        if html is None:
            text = _MISSING.format(folder=self._index.parent, prefix=self._prefix)
            body = f"{message}\n\n{text}" if message else text
            return Response(
                body,
                status if message else 503,
                {"content-type": "text/plain; charset=UTF-8"},
            )
        html = html.replace("./assets/", f"{escape(self._prefix)}/static/assets/")
        html = html.replace("__UMBEL_PREFIX__", escape(self._prefix))
        html = html.replace("__UMBEL_NONCE__", escape(request.scope[NONCE]))
        if message:
            shown = escape(message)
            html = html.replace("</head>", f'<meta name="umbel-message" content="{shown}"></head>', 1)
            html = html.replace("</body>", f"<noscript><p>{shown}</p></noscript></body>", 1)
        return Response(html, status, {"content-type": HTML_TYPE, "cache-control": "no-cache"})


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None
