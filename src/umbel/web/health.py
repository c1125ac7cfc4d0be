"""Health for machines: `/healthcheck` as Flower has it, `/health/live` and `/health/ready`, and `/metrics`."""

import msgspec
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from umbel.errors import StoreError
from umbel.metrics.prometheus import Exposition
from umbel.metrics.readiness import reasons_not_ready
from umbel.web.deps import Deps
from umbel.web.flower_json import answer
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
            present.fetch_listed,
        )  # fmt: skip

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

    async def metrics(self, request: Request) -> Response:
        return answer(request, await run_sync(self._exposition.render), "text/plain")
