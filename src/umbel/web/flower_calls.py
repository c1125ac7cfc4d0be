"""Flower's calls of tasks: `/api/task/{apply,async-apply,send-task}/<task>` and `/api/task/abort/<id>`.

Each is written into the audit first, under the id that the task will have. Called by the route table only.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from umbel.control.call_options import TaskCall, read_call, read_seconds
from umbel.errors import BackendUnavailable, CallError, NoBackend
from umbel.web.body import read_body
from umbel.web.deps import Deps
from umbel.web.flower_json import json_answer
from umbel.web.flower_result import LONGEST, wait_for_result
from umbel.web.problem import Refused
from umbel.web.sending import UNAVAILABLE, abort, send_call

#: Seconds that `apply` waits unless the body has a `timeout`.
DEFAULT_WAIT = 600.0
#: Flower tells an applied task's state last.
_ORDER = ("task-id", "result", "traceback", "state")
#: Bytes of a call.
LARGEST_CALL = 32_000_000


class FlowerCalls:
    """Handlers that publish one task each."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def apply(self, request: Request) -> Response:
        name, call = request.path_params["task"], await self._read(request)
        self._check_registered(name)
        try:
            wait = call.options.pop("timeout", None)
            timeout = DEFAULT_WAIT if wait is None else min(max(0.0, read_seconds("timeout", wait)), LONGEST)
        except CallError as exc:
            raise Refused(400, "Invalid timeout") from exc
        task_id = await self._send(request, "apply", name, call, registered=True)
        try:
            answer = await wait_for_result(self._deps.calling, request, task_id, timeout)
        except Refused as exc:
            if exc.message:
                raise
            answer = {"task-id": task_id}  # without a result backend nobody can tell more
        return json_answer(request, {name: answer[name] for name in _ORDER if name in answer})

    async def async_apply(self, request: Request) -> Response:
        name, call = request.path_params["task"], await self._read(request)
        self._check_registered(name)
        task_id = await self._send(request, "async_apply", name, call, registered=True)
        return json_answer(request, await self._state(task_id))

    async def send_task(self, request: Request) -> Response:
        name, call = request.path_params["task"], await self._read(request)
        task_id = await self._send(request, "send_task", name, call, registered=False)
        return json_answer(request, await self._state(task_id))

    async def abort(self, request: Request) -> Response:
        uuid = request.path_params["uuid"]
        await abort(self._deps, request, uuid)
        return json_answer(request, {"message": f"Aborted '{uuid}'"})

    async def _read(self, request: Request) -> TaskCall:
        body = await read_body(request, LARGEST_CALL)
        try:
            return read_call(body)
        except CallError as exc:
            raise Refused(400, str(exc)) from exc

    def _check_registered(self, name: str) -> None:
        if not self._deps.calling.has_task(name):
            raise Refused(404, f"Unknown task '{name}'")

    async def _send(
        self, request: Request, action: str, name: str, call: TaskCall, *, registered: bool
    ) -> str:
        _, task_id = await send_call(self._deps, request, action, name, call, registered=registered)
        return task_id

    async def _state(self, task_id: str) -> dict[str, Any]:
        """Id and present state; the id alone without a result backend. Raises Refused (503)."""
        try:
            answer = await self._deps.calling.fetch_state(task_id)
        except NoBackend:
            return {"task-id": task_id}
        except BackendUnavailable as exc:
            raise Refused(503, UNAVAILABLE) from exc
        return {"task-id": task_id, "state": answer["state"]}
