"""Calls of tasks by `/api/v1`: one to call, with or without waiting, one to abort. Called by the route table only."""

import json
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from umbel.control.call_options import TaskCall
from umbel.web import control_schema as wire
from umbel.web.body import decode_body, json_response
from umbel.web.deps import Deps
from umbel.web.endpoint import Handler
from umbel.web.flower_result import wait_for_result
from umbel.web.problem import Refused
from umbel.web.sending import ABORT_MARKED, abort, send_call


class Calls:
    """Handlers by operation name."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @property
    def handlers(self) -> dict[str, Handler]:
        """Operation name -> handler."""
        return {"callTask": self.call, "abortTask": self.abort}

    async def call(self, request: Request) -> Response:
        asked = await decode_body(request, wire.TaskCallIn)
        call = TaskCall(asked.args, asked.kwargs, asked.options)
        action = "apply" if asked.wait else "async_apply"
        # by the task's own `apply_async`, which knows its options, where the app has it
        registered = self._deps.calling.has_task(asked.name)
        number, task_id = await send_call(
            self._deps, request, action, asked.name, call, registered=registered
        )
        answer: dict[str, Any] = {}
        try:
            answer = await wait_for_result(self._deps.calling, request, task_id, asked.wait)
        except Refused as exc:
            if exc.message:  # else there is no result backend, and nothing more can be told
                raise
        called = wire.CalledOut(
            id=number,
            task_id=task_id,
            state=answer.get("state"),
            # by the standard library: results hold whole numbers and surrogates that msgspec does not write
            result=msgspec.Raw(json.dumps(answer.get("result")).encode()),
            traceback=answer.get("traceback"),
        )
        return json_response(called)

    async def abort(self, request: Request) -> Response:
        await decode_body(request, wire.Plain)
        uuid = request.path_params["uuid"]
        try:
            number = await abort(self._deps, request, uuid)
        except Refused as exc:
            raise Refused(exc.status, exc.message or "There is no result backend.") from exc
        told = wire.CommandOut(
            id=number, action="abort", target=uuid, outcome="requested", time=self._deps.now(), confirmed=[],
            refused=[], silent=[], note=ABORT_MARKED,
        )  # fmt: skip
        return json_response(told, 202)
