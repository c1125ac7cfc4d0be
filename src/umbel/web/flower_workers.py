"""Flower's worker and queue reads: `/api/workers`, `/workers?json=1` and `/api/queues/length`."""

import asyncio

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from umbel.brokers.registry import FLOWER_DRIVERS
from umbel.control.consumers import consumed
from umbel.control.roster import is_alive
from umbel.errors import BrokerError, InspectError
from umbel.web.arguments import Arguments
from umbel.web.deps import Deps
from umbel.web.flower_json import answer, json_answer
from umbel.web.present import Present
from umbel.web.problem import Refused
from umbel.web.recent import Recent

_DEFAULT_QUEUE = "celery"


class FlowerWorkers:
    """Handlers over the inspect cache, the history and the broker."""

    def __init__(self, deps: Deps, present: Present) -> None:
        self._deps = deps
        self._present = present
        self._recent = Recent(self._table)

    async def workers(self, request: Request) -> Response:
        arguments = await Arguments.read(request)
        refresh = arguments.get_bool("refresh")
        status = arguments.get_bool("status")
        name = arguments.get_text("workername") or None
        inspector = self._deps.inspector
        if refresh:
            try:
                # shielded: others may be waiting for the same run
                await asyncio.shield(asyncio.wrap_future(inspector.request(name)))
            except InspectError as exc:
                raise Refused(503, f"Failed to update workers: {exc}") from exc
        if status:
            known = await run_sync(self._deps.reader.fetch_workers)
            return json_answer(request, {worker.hostname: is_alive(worker) for worker in known})
        cached = inspector.get_workers()
        if name is None:
            # 2 MB with 1,000 workers
            return await run_sync(json_answer, request, cached)
        if name not in cached:
            raise Refused(404, f"Unknown worker '{name}'")
        return json_answer(request, {name: cached[name]})

    async def table(self, request: Request) -> Response:
        """`/workers?json=1`: the caller has read `json` already."""
        arguments = await Arguments.read(request)
        if arguments.get_bool("refresh"):
            self._deps.inspector.request()
        return answer(request, await self._recent.get())

    def _table(self) -> bytes:
        """As `dumps` would write it, from rows that were written before."""
        rows = ", ".join([row.flower for row in self._present.fetch_rows()])
        return f'{{"data": [{rows}]}}'.encode()

    async def queue_lengths(self, request: Request) -> Response:
        if self._deps.driver not in FLOWER_DRIVERS:
            raise Refused(404, f"'{self._deps.driver}' broker is not supported")
        try:
            lengths = self._deps.queues.request_lengths(self._queue_names())
            active = await asyncio.shield(asyncio.wrap_future(lengths))
        except BrokerError as exc:
            raise Refused(503, str(exc)) from exc
        return json_answer(request, {"active_queues": active})

    def _queue_names(self) -> list[str]:
        """The queues that workers consume, else those that the app declares. Sorted."""
        names = {
            name for answers in self._deps.inspector.get_workers().values() for name in consumed(answers)
        }
        if not names and self._deps.app is not None:
            conf = self._deps.app.conf
            names = {
                conf.task_default_queue,
                *(queue.name for queue in conf.task_queues or ()),
            }
        return sorted(names or {_DEFAULT_QUEUE})
