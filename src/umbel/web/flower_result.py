"""`/api/task/result/<id>`, and waiting for results wherever Flower's API does: by polling, without holding a thread."""

import time
from typing import Any

from anyio import sleep
from celery import states
from starlette.requests import Request
from starlette.responses import Response

from umbel.control.calling import Calling
from umbel.errors import BackendUnavailable, NoBackend
from umbel.web.arguments import Arguments
from umbel.web.deps import Deps
from umbel.web.flower_json import json_answer
from umbel.web.problem import Refused
from umbel.web.sending import UNAVAILABLE

#: Seconds between two questions about a result that is waited for: short at first, then longer.
FIRST_POLL, SLOWEST_POLL = 0.05, 1.0
#: Seconds that a result is waited for at most, whatever `timeout` says.
LONGEST = 3600.0


class FlowerResult:
    """A result that never comes costs one question a second."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def result(self, request: Request) -> Response:
        arguments = await Arguments.read(request)
        timeout = min(arguments.get_float("timeout") or 0.0, LONGEST)
        uuid = request.path_params["uuid"]
        return json_answer(request, await wait_for_result(self._deps.calling, request, uuid, timeout))


async def wait_for_result(calling: Calling, request: Request, uuid: str, timeout: float) -> dict[str, Any]:
    """What the backend says of a task once it has ended, after `timeout` seconds, or when the client has left.

    Raises Refused (503).
    """
    until = time.monotonic() + timeout
    pause = FIRST_POLL
    while True:
        try:
            answer = await calling.fetch_state(uuid)
        except NoBackend as exc:
            raise Refused(503) from exc
        except BackendUnavailable as exc:
            raise Refused(503, UNAVAILABLE) from exc
        left = until - time.monotonic()
        if answer["state"] in states.READY_STATES or left <= 0 or await request.is_disconnected():
            return answer
        await sleep(min(pause, left))
        pause = min(pause * 1.5, SLOWEST_POLL)
