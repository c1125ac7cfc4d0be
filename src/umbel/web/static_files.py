"""The built page's files under `/static/`: precompressed where there is such a variant, cacheable by name."""

import mimetypes
from pathlib import Path

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import FileResponse, Response

#: What Tornado answers outside of all routes.
_BARE = "<html><title>{0}</title><body>{0}</body></html>"
HTML_TYPE = "text/html; charset=UTF-8"

_IMMUTABLE = "public, max-age=31536000, immutable"
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_ROBOTS = "User-agent: *\nDisallow: /\n"


def bare(status: int) -> Response:
    """Flower's answer where no page of its own belongs."""
    words = {403: "403: Forbidden", 404: "404: Not Found"}[status]
    return Response(_BARE.format(words), status, {"content-type": HTML_TYPE})


class StaticFiles:
    """Serves one folder; never anything outside of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    async def file(self, request: Request) -> Response:
        return await run_sync(
            self._find,
            request.path_params["path"],
            request.headers.get("accept-encoding", ""),
        )

    async def favicon(self, request: Request) -> Response:
        icons = await run_sync(lambda: sorted(self._folder.glob("assets/favicon*.svg")))
        if not icons:
            return bare(404)
        return FileResponse(
            icons[0],
            headers={"cache-control": "max-age=86400"},
            media_type="image/svg+xml",
        )

    async def robots(self, _: Request) -> Response:
        return Response(_ROBOTS, media_type="text/plain")

    def _find(self, name: str, accepted: str) -> Response:
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder):
            return bare(403)
        if path.is_dir():
            return bare(403)
        if not path.is_file() or path.name == "index.html":
            return bare(404)
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        headers = {
            "cache-control": _IMMUTABLE if name.startswith("assets/") else "no-cache",
            "vary": "accept-encoding",
        }
        tokens = {
            part.partition(";")[0].strip()
            for part in accepted.split(",")
            if "q=0" not in part.replace(" ", "")
        }
        for token, suffix in _ENCODINGS:
            packed = path.with_name(path.name + suffix)
            if token in tokens and packed.is_file():
                return FileResponse(
                    packed,
                    headers={**headers, "content-encoding": token},
                    media_type=media_type,
                )
        return FileResponse(path, headers=headers, media_type=media_type)
