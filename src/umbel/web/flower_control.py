"""Flower's commands to workers: `/api/worker/…` and `/api/task/{revoke,timeout,rate-limit}`, with Flower's words.

What really came of them, worker by worker, is in the audit. Called by the route table only.
"""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from umbel.control import commands
from umbel.control.commander import Dispatch
from umbel.control.commands import Command
from umbel.web.arguments import Arguments
from umbel.web.deps import Deps
from umbel.web.flower_json import json_answer
from umbel.web.problem import Refused
from umbel.web.sending import refuse, send

_NO_REASON = "Unknown reason"
#: Flower writes a worker's refusals without a template, so they are called HTML.
_HTML = {"content-type": "text/html; charset=UTF-8"}
#: Processes that a pool grows or shrinks by at most.
MOST_PROCESSES = 1000


class FlowerControl:
    """Handlers that send one command each."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def shutdown(self, request: Request) -> Response:
        worker = await self._worker(request.path_params["worker"])
        await self._send(request, commands.shutdown(worker))
        return _message(request, "Shutting down!")

    async def pool_restart(self, request: Request) -> Response:
        worker = await self._worker(request.path_params["worker"])
        return await self._ask(
            request, commands.pool_restart(worker), lambda _: f"Restarting '{worker}' worker's pool",
            f"Failed to restart the '{worker}' pool: ",
        )  # fmt: skip

    async def pool_grow(self, request: Request) -> Response:
        worker = await self._worker(request.path_params["worker"])
        n = _number_of_processes(await Arguments.read(request))
        return await self._ask(
            request, commands.pool_grow(worker, n), lambda _: f"Growing '{worker}' worker's pool by {n}",
            f"Failed to grow '{worker}' worker's pool: ",
        )  # fmt: skip

    async def pool_shrink(self, request: Request) -> Response:
        worker = await self._worker(request.path_params["worker"])
        n = _number_of_processes(await Arguments.read(request))
        why = await self._deps.commander.why_not_shrink(worker, n)
        if why:
            await refuse(self._deps, request, commands.pool_shrink(worker, n), why)
            raise Refused(403, f"Failed to shrink '{worker}' worker's pool: {why}", headers=_HTML)
        return await self._ask(
            request, commands.pool_shrink(worker, n), lambda _: f"Shrinking '{worker}' worker's pool by {n}",
            f"Failed to shrink '{worker}' worker's pool: ",
        )  # fmt: skip

    async def pool_autoscale(self, request: Request) -> Response:
        worker = await self._worker(request.path_params["worker"])
        arguments = await Arguments.read(request)
        minimum, maximum = arguments.need_int("min"), arguments.need_int("max")
        return await self._ask(
            request, commands.autoscale(worker, minimum, maximum),
            lambda _: f"Autoscaling '{worker}' worker (min={minimum}, max={maximum})",
            f"Failed to autoscale '{worker}' worker: ",
        )  # fmt: skip

    async def add_consumer(self, request: Request) -> Response:
        worker = await self._worker(request.path_params["worker"])
        queue = (await Arguments.read(request)).need_text("queue")
        return await self._ask(
            request, commands.add_consumer(worker, queue), lambda said: said,
            f"Failed to add '{queue}' consumer to '{worker}' worker: ",
        )  # fmt: skip

    async def cancel_consumer(self, request: Request) -> Response:
        worker = await self._worker(request.path_params["worker"])
        queue = (await Arguments.read(request)).need_text("queue")
        return await self._ask(
            request, commands.cancel_consumer(worker, queue), lambda said: said,
            f"Failed to cancel '{queue}' consumer from '{worker}' worker: ",
        )  # fmt: skip

    async def time_limit(self, request: Request) -> Response:
        arguments = await Arguments.read(request)
        worker, task = arguments.need_text("workername"), request.path_params["task"]
        soft, hard = arguments.get_float("soft"), arguments.get_float("hard")
        await self._check_task(task)
        await self._worker(worker)
        return await self._ask(
            request, commands.time_limit(task, worker, soft=soft, hard=hard), lambda said: said,
            "Failed to set timeouts: '", "'",
        )  # fmt: skip

    async def rate_limit(self, request: Request) -> Response:
        arguments = await Arguments.read(request)
        worker, rate = arguments.need_text("workername"), arguments.need_text("ratelimit")
        task = request.path_params["task"]
        await self._check_task(task)
        await self._worker(worker)
        return await self._ask(
            request, commands.rate_limit(task, worker, rate), lambda said: said,
            "Failed to set rate limit: '", "'",
        )  # fmt: skip

    async def revoke(self, request: Request) -> Response:
        arguments = await Arguments.read(request)
        uuid = request.path_params["uuid"]
        given = arguments.get_text("signal") or "SIGTERM"
        terminate = arguments.get_bool("terminate")
        name = commands.signal_of(given)
        if name is None:
            raise Refused(400, f"Invalid signal '{given}', expected one of {', '.join(commands.SIGNALS)}")
        await self._send(request, commands.revoke(uuid, terminate=terminate, signal=name))
        return _message(request, f"Revoked '{uuid}'")

    async def _ask(
        self, request: Request, command: Command, success: Callable[[str], str], failure: str, end: str = ""
    ) -> Response:
        """Send, wait for the one worker's answer, and word it as Flower does. Raises Refused (403, 503)."""
        (worker,) = command.workers or ("",)
        dispatch = await self._send(request, command)
        outcome = await dispatch.outcome
        if worker in outcome.confirmed:
            return _message(request, success(outcome.confirmed[worker]))
        reason = outcome.refused.get(worker, _NO_REASON)
        raise Refused(403, f"{failure}{reason}{end}", headers=_HTML)

    async def _send(self, request: Request, command: Command) -> Dispatch:
        return await send(self._deps, request, command)

    async def _worker(self, name: str) -> str:
        """Raises Refused (404) for a worker that nobody has seen."""
        if not await self._deps.commander.knows(name):
            raise Refused(404, f"Unknown worker '{name}'")
        return name

    async def _check_task(self, name: str) -> None:
        """Raises Refused (404) for a task that neither the app nor any worker has."""
        app = self._deps.app
        if app is not None and name in app.tasks:
            return
        if not self._deps.inspector.has_registered(name):
            raise Refused(404, f"Unknown task '{name}'")


def _number_of_processes(arguments: Arguments) -> int:
    """The argument `n`. Raises Refused (400) for what no pool can do."""
    n = arguments.get_int("n", 1) or 0
    if not 1 <= n <= MOST_PROCESSES:
        raise Refused(400, f"Invalid argument 'n', expected 1 to {MOST_PROCESSES}")
    return n


def _message(request: Request, text: str) -> Response:
    return json_answer(request, {"message": text})
