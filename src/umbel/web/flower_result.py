"""`/api/task/result/<id>`: a task's result from Celery's own result backend, asked in threads, a few at a time."""

import json
from typing import Any

from anyio import CapacityLimiter, fail_after, sleep
from anyio.to_thread import run_sync
from celery import states
from celery.app.base import Celery
from celery.backends.base import DisabledBackend
from celery.exceptions import BackendError
from kombu.exceptions import OperationalError
from starlette.requests import Request
from starlette.responses import Response

from umbel.web.arguments import Arguments
from umbel.web.deps import Deps
from umbel.web.flower_json import json_answer
from umbel.web.problem import Refused

#: Questions to the result backend under way at once.
AT_ONCE = 5
#: Seconds between two questions about a result that is waited for.
POLL_EVERY = 0.2
#: Seconds that a result is waited for at most, whatever `timeout` says.
LONGEST = 3600.0
UNAVAILABLE = "Broker or result backend unavailable"


class FlowerResult:
    """Waits without holding a thread: a result that never comes costs one question every `POLL_EVERY`."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._slots: CapacityLimiter | None = None

    async def result(self, request: Request) -> Response:
        arguments = await Arguments.read(request)
        timeout = min(arguments.get_float("timeout") or 0.0, LONGEST)
        app = self._deps.app
        if app is None:
            raise Refused(503)
        uuid = request.path_params["uuid"]
        answer = await self._ask(app, uuid)
        try:
            with fail_after(max(0.0, timeout)):
                while timeout and answer["state"] not in states.READY_STATES:
                    await sleep(POLL_EVERY)
                    answer = await self._ask(app, uuid)
        except TimeoutError:
            pass
        return json_answer(request, answer)

    async def _ask(self, app: Celery, uuid: str) -> dict[str, Any]:
        if self._slots is None:
            self._slots = CapacityLimiter(AT_ONCE)
        return await run_sync(_fetch, app, uuid, limiter=self._slots)


def _fetch(app: Celery, uuid: str) -> dict[str, Any]:
    """Flower's answer for one task id. Raises Refused (503)."""
    backend = app.backend
    if isinstance(backend, DisabledBackend):
        raise Refused(503)
    errors = (
        BackendError,
        OperationalError,
        OSError,
        *getattr(backend, "connection_errors", ()),
    )
    try:
        meta = backend.get_task_meta(uuid, cache=False)
    except errors as exc:
        raise Refused(503, UNAVAILABLE) from exc
    state = meta["status"]
    answer: dict[str, Any] = {"task-id": uuid, "state": state}
    if state in states.EXCEPTION_STATES & states.READY_STATES:
        answer["result"] = repr(meta.get("result"))
        if state == states.FAILURE:
            answer["traceback"] = meta.get("traceback")
    elif state in states.READY_STATES:
        answer["result"] = _jsonable(meta.get("result"))
    return answer


def _jsonable(value: Any) -> Any:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return repr(value)
    return value
