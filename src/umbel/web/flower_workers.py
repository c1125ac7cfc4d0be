"""Flower's worker and queue reads: `/api/workers`, `/workers?json=1` and `/api/queues/length`."""

import asyncio
from collections.abc import Mapping
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from umbel.control.roster import is_alive
from umbel.errors import BrokerUnavailable, InspectError
from umbel.model.worker import Worker
from umbel.store.base import CounterKey
from umbel.web.arguments import Arguments
from umbel.web.deps import Deps
from umbel.web.flower_json import json_answer
from umbel.web.present import Present
from umbel.web.problem import Refused

_DEFAULT_QUEUE = "celery"


class FlowerWorkers:
    """Handlers over the inspect cache, the history and the broker."""

    def __init__(self, deps: Deps, present: Present) -> None:
        self._deps = deps
        self._present = present

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
            return json_answer(request, cached)
        if name not in cached:
            raise Refused(404, f"Unknown worker '{name}'")
        return json_answer(request, {name: cached[name]})

    async def table(self, request: Request) -> Response:
        """`/workers?json=1`: the caller has read `json` already."""
        arguments = await Arguments.read(request)
        if arguments.get_bool("refresh"):
            self._deps.inspector.request()
        return json_answer(request, {"data": await run_sync(self._rows)})

    def _rows(self) -> list[dict[str, Any]]:
        counts = _event_counts(self._deps.reader.fetch_counters())
        return [_row(worker, counts.get(worker.hostname, {})) for worker in self._present.fetch_listed()]

    async def queue_lengths(self, request: Request) -> Response:
        brokers = self._deps.brokers
        if brokers is None:
            raise Refused(404, f"'{self._deps.driver}' broker is not supported")
        try:
            queues = await run_sync(brokers.fetch_queues, self._queue_names())
        except BrokerUnavailable as exc:
            raise Refused(503, str(exc)) from exc
        active = [queue.raw or {"name": queue.name, "messages": queue.messages} for queue in queues]
        return json_answer(request, {"active_queues": active})

    def _queue_names(self) -> list[str]:
        """The queues that workers consume, else those that the app declares. Sorted."""
        names = {
            queue["name"]
            for answers in self._deps.inspector.get_workers().values()
            for queue in answers.get("active_queues", ())
        }
        if not names and self._deps.app is not None:
            conf = self._deps.app.conf
            names = {
                conf.task_default_queue,
                *(queue.name for queue in conf.task_queues or ()),
            }
        return sorted(names or {_DEFAULT_QUEUE})


def _event_counts(counters: Mapping[CounterKey, int]) -> dict[str, dict[str, int]]:
    totals: dict[str, dict[str, int]] = {}
    for key, count in counters.items():
        if not count:
            continue
        row = totals.setdefault(key.worker, {})
        row[key.type] = row.get(key.type, 0) + count
    return totals


def _row(worker: Worker, counts: Mapping[str, int]) -> dict[str, Any]:
    return {
        **counts,
        "hostname": worker.hostname,
        "pid": worker.pid or None,
        "freq": worker.freq,
        "heartbeats": worker.heartbeats,
        "clock": worker.clock,
        "active": worker.active,
        "processed": worker.processed,
        "loadavg": worker.loadavg,
        "sw_ident": worker.sw_ident,
        "sw_ver": worker.sw_ver,
        "sw_sys": worker.sw_sys,
        "status": is_alive(worker),
    }
