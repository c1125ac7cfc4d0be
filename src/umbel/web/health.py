"""Health for machines: `/healthcheck` as Flower has it, `/health/live` and `/health/ready`, and `/metrics`."""

import asyncio
import secrets

import msgspec
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from umbel.errors import StoreError
from umbel.metrics.prometheus import Exposition
from umbel.metrics.readiness import reasons_not_ready
from umbel.web.deps import Deps
from umbel.web.flower_json import answer
from umbel.web.pieces import PiecesResponse
from umbel.web.present import Present

_UNCACHED = {"cache-control": "no-store"}


class Readiness(msgspec.Struct):
    """Body of `/health/ready`."""

    ready: bool
    #: Why not, one sentence each.
    reasons: list[str]


class Health:
    """Open to everybody, as monitoring systems need it."""

    def __init__(self, deps: Deps, present: Present) -> None:
        self._deps = deps
        self._present = present
        self._exposition = Exposition(
            deps.reader, present.fetch_collector, deps.now, deps.config.task_runtime_metric_buckets,
            present.fetch_listed, get_board=deps.sampler.get_board, get_stalls=lambda: deps.sampler.stalls,
            limit=deps.config.metrics_max_series, counters=present.counters,
        )  # fmt: skip
        self._scrape: asyncio.Future[tuple[list[bytes], str]] | None = None

    async def check(self, request: Request) -> Response:
        """Says that the web server answers, whatever the broker does: what Flower's users' probes expect."""
        return answer(request, "OK", "text/html; charset=UTF-8")

    async def live(self, _: Request) -> Response:
        return Response(b'{"live":true}', media_type="application/json", headers=_UNCACHED)

    async def ready(self, _: Request) -> Response:
        reasons = await run_sync(self._reasons)
        body = msgspec.json.encode(Readiness(not reasons, reasons))
        return Response(body, 503 if reasons else 200, _UNCACHED, "application/json")

    def _reasons(self) -> list[str]:
        try:
            return reasons_not_ready(self._present.fetch_collector(), self._deps.now())
        except StoreError as exc:
            return [f"The history can't be read: {exc}"]

    async def metrics(self, _: Request) -> Response:
        """Scrapes that come while one is being answered share its answer."""
        if self._scrape is None or self._scrape.done():
            self._scrape = asyncio.ensure_future(run_sync(self._render))
        # shielded: one that hangs up must not take the answer from the others
        pieces, tag = await asyncio.shield(self._scrape)
        return PiecesResponse(pieces, "text/plain", tag)

    def _render(self) -> tuple[list[bytes], str]:
        # no two texts are the same, if only for the CPU time: nothing to compare, so nothing to hash
        return self._exposition.render(), secrets.token_hex(20)
