"""Sends one request's command and turns what can go wrong into refusals, for Flower's endpoints and `/api/v1` alike."""

import uuid
from typing import Any

from starlette.requests import Request

from umbel.control.call_options import TaskCall, celery_options
from umbel.control.commander import Dispatch
from umbel.control.commands import Command, Outcome
from umbel.errors import BackendUnavailable, CallError, InspectError, NoBackend, StoreError
from umbel.store.audit import Asker
from umbel.web.deps import Deps
from umbel.web.endpoint import identity_of
from umbel.web.problem import Refused

#: Flower's words for a broker or a result backend in trouble.
UNAVAILABLE = "Broker or result backend unavailable"
ABORT_MARKED = "marked at the result backend; an abortable task stops when it looks"


def asker_of(request: Request) -> Asker:
    """Who made this request, and from where; the guard has let them in."""
    identity = identity_of(request)
    return Asker(identity.name, identity.method, request.client.host if request.client else "")


async def send(deps: Deps, request: Request, command: Command, *, timeout: float | None = None) -> Dispatch:
    """Write the command down and send it. Raises Refused (503)."""
    try:
        return await deps.commander.send(command, asker_of(request), timeout=timeout)
    except StoreError as exc:
        raise not_written(exc) from exc
    except InspectError as exc:
        raise Refused(503, UNAVAILABLE) from exc


async def refuse(deps: Deps, request: Request, command: Command, why: str) -> None:
    """Write down a command that is not sent. Raises Refused (503)."""
    try:
        await deps.commander.refuse(command, why, asker_of(request))
    except StoreError as exc:
        raise not_written(exc) from exc


async def send_call(
    deps: Deps, request: Request, action: str, name: str, call: TaskCall, *, registered: bool
) -> tuple[int, str]:
    """Write down and publish one call of a task; return the row's id and the task's. Raises Refused (400, 503)."""
    try:
        options = celery_options(call.options)
    except CallError as exc:
        raise Refused(400, str(exc)) from exc
    task_id = str(options.get("task_id") or uuid.uuid4())
    told = {"args": call.args, "kwargs": call.kwargs, **call.options, "task_id": task_id}
    number = await record(deps, request, action, name, told)
    try:
        await deps.calling.send(name, call, task_id=task_id, registered=registered)
    except (CallError, BackendUnavailable) as exc:
        await deps.commander.complete(number, Outcome(state="failed", detail=str(exc)))
        if isinstance(exc, CallError):
            raise Refused(400, str(exc)) from exc
        raise Refused(503, UNAVAILABLE) from exc
    await deps.commander.complete(number, Outcome(state="confirmed", detail="the broker has it"))
    return number, task_id


async def abort(deps: Deps, request: Request, task_id: str) -> int:
    """Write down and mark a task as to be aborted; return the row's id. Raises Refused (503)."""
    number = await record(deps, request, "abort", task_id, {})
    try:
        await deps.calling.abort(task_id)
    except (NoBackend, BackendUnavailable) as exc:
        await deps.commander.complete(number, Outcome(state="failed", detail=str(exc)))
        raise Refused(503, "" if isinstance(exc, NoBackend) else UNAVAILABLE) from exc
    await deps.commander.complete(number, Outcome(state="requested", detail=ABORT_MARKED))
    return number


async def record(deps: Deps, request: Request, action: str, target: str, parameters: dict[str, Any]) -> int:
    """Write down what is about to be done; return the row's id. Raises Refused (503)."""
    try:
        return await deps.commander.record(action, target, parameters, asker_of(request))
    except StoreError as exc:
        raise not_written(exc) from exc


def not_written(exc: StoreError) -> Refused:
    """A command that can't be written into the audit is not sent."""
    return Refused(503, f"Not sent, because it can't be written into the audit: {exc}")
