"""Retries by `/api/v1`: whether a task that has ended can be sent once more, and sending it.

Called by the route table only.
"""

import json
import uuid as uuids
from typing import Any, Literal

from anyio.to_thread import run_sync
from kombu.utils import json as kombu_json
from starlette.requests import Request
from starlette.responses import Response

from umbel.control.call_options import TaskCall
from umbel.control.commands import Outcome
from umbel.control.fidelity import comes_back
from umbel.control.printed import read_printed
from umbel.control.queues import PREVIEW
from umbel.control.retry import Plan, Retrier
from umbel.control.stored_result import clean_text, print_args
from umbel.errors import BackendUnavailable, CallError, NotReadable
from umbel.model.redact import MASK
from umbel.model.task import Task
from umbel.web import query
from umbel.web import retry_schema as wire
from umbel.web.body import decode_body, json_response
from umbel.web.deps import Deps
from umbel.web.endpoint import Handler
from umbel.web.lookup import Found, find_task
from umbel.web.problem import Refused
from umbel.web.retry_links import ACTION
from umbel.web.sending import UNAVAILABLE, record


class Retries:
    """Handlers by operation name."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._retrier = (
            None
            if deps.app is None
            else Retrier(deps.app, deps.calling, deps.queues, deps.inspector, deps.reader)
        )

    @property
    def handlers(self) -> dict[str, Handler]:
        """Operation name -> handler."""
        return {"getRetry": self.get, "retryTask": self.retry}

    async def get(self, request: Request) -> Response:
        query.decode(request.query_params, query.NoQuery)
        found, plan, _ = await self._plan(request)
        return json_response(await run_sync(self._told, found.detail.task, plan))

    async def retry(self, request: Request) -> Response:
        asked = await decode_body(request, wire.RetryIn)
        edited = _edited(asked)
        found, plan, retrier = await self._plan(request)
        task = found.detail.task
        queue = asked.queue or (plan.destination.queue if plan.destination else None)
        if edited is not None and await run_sync(retrier.serializer_of, edited) is None:
            raise Refused(400, "No serializer that workers take keeps these arguments.", parameter="args")
        why_not = _why_not(plan, task, edited, queue)
        source: Literal["message", "result", "edited"] = "edited" if edited else plan.source  # type: ignore[assignment]
        task_id = str(uuids.uuid4())
        told: dict[str, Any] = {"name": plan.name, "source": source, "queue": queue}
        if edited:
            told |= {"args": edited.args, "kwargs": edited.kwargs}
        if not why_not:
            told["task_id"] = task_id
        number = await record(self._deps, request, ACTION, task.uuid, told)
        if why_not or queue is None:
            refusal = Outcome(state="refused", detail=f"not sent: {why_not}")
            await self._deps.commander.complete(number, refusal)
            raise Refused(409, f"Not sent: {why_not}")
        time = self._deps.now()
        await self._send(number, retrier.send(plan, task, task_id, queue=queue, edited=edited))
        return json_response(
            wire.RetriedOut(
                id=number, task_id=task_id, retry_of=task.uuid, source=source, queue=queue, time=time,
                cautions=plan.cautions,
            )
        )  # fmt: skip

    async def _plan(self, request: Request) -> tuple[Found, Plan, Retrier]:
        if self._retrier is None:
            raise Refused(409, "Tasks can't be sent from here: there is no Celery app.")
        found = await find_task(self._deps, request.path_params["uuid"])
        return found, await self._retrier.plan(found.detail.task, found.stored), self._retrier

    async def _send(self, number: int, sending: Any) -> None:
        commander = self._deps.commander
        try:
            await sending
        except (CallError, BackendUnavailable) as exc:
            await commander.complete(number, Outcome(state="failed", detail=str(exc)))
            if isinstance(exc, CallError):
                raise Refused(409, f"Not sent: {exc}") from exc
            raise Refused(503, UNAVAILABLE) from exc
        await commander.complete(number, Outcome(state="confirmed", detail="the broker has it"))

    def _told(self, task: Task, plan: Plan) -> wire.RetryOut:
        received, destination = plan.received, plan.destination
        return wire.RetryOut(
            uuid=task.uuid,
            name=plan.name,
            ended=task.finished,
            possible=not plan.reason,
            source=plan.source,
            reason=plan.reason,
            args=self._shown(print_args(received.args)) if received else None,
            kwargs=self._shown(repr(received.kwargs)) if received else None,
            serializer=plan.serializer,
            queue=destination.queue if destination else None,
            queue_from=destination.known_from if destination else None,
            priority=received.priority if received else None,
            headers=sorted(received.options.get("headers", ())) if received else [],
            cautions=plan.cautions,
            edit=self._edit(task, plan),
        )

    def _shown(self, text: str | None) -> str | None:
        return None if text is None else clean_text(text, self._deps.redactor, PREVIEW)[0]

    def _edit(self, task: Task, plan: Plan) -> wire.RetryEdit:
        """What the form is filled with: what the task received where JSON has it all, else its printed form."""
        received = plan.received
        if received is not None and comes_back([received.args, received.kwargs], "json"):
            args, kwargs = (
                kombu_json.dumps(it, ensure_ascii=False) for it in (received.args, received.kwargs)
            )
            if self._has_secrets(args, kwargs, repr(received.args), repr(received.kwargs)):
                return wire.RetryEdit(basis=None, args=None, kwargs=None, reason=_SECRET)
            return wire.RetryEdit(basis=plan.source, args=args, kwargs=kwargs, reason="")
        try:
            args, kwargs = read_printed(task.args, list), read_printed(task.kwargs, dict)
        except NotReadable as exc:
            return wire.RetryEdit(basis=None, args=None, kwargs=None, reason=f"{_NO_PRINT}: {exc}.")
        return wire.RetryEdit(basis="printed", args=args, kwargs=kwargs, reason="")

    def _has_secrets(self, *texts: str) -> bool:
        redactor = self._deps.redactor
        return redactor is not None and any(redactor.redact_text(text) != text for text in texts)


_SECRET = "Its arguments hold secrets, which are not shown."
_NO_PRINT = "The printed form of its arguments is not used"


def _why_not(plan: Plan, task: Task, edited: TaskCall | None, queue: str | None) -> str:
    """Why it can't be sent as asked, a sentence; "" where it can."""
    if not task.finished or (edited is None and plan.serializer is None):
        return plan.reason
    if plan.name is None:
        return "The name of the task is not known."
    return "Its queue is not known: name one as queue." if queue is None else ""


def _edited(asked: wire.RetryIn) -> TaskCall | None:
    """The arguments that were given in place of the task's own. Raises Refused (400)."""
    if asked.args is None and asked.kwargs is None:
        return None
    if asked.args is None or asked.kwargs is None:
        missing = "args" if asked.args is None else "kwargs"
        raise Refused(400, "args and kwargs are given together, or neither.", parameter=missing)
    text = json.dumps([asked.args, asked.kwargs])
    if MASK in text:
        raise Refused(400, f"The arguments hold {MASK!r}, which stands for a secret.", parameter="args")
    try:
        args, kwargs = kombu_json.loads(text)
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as exc:
        raise Refused(400, f"A value with __type__ can't be read: {exc}", parameter="args") from exc
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise Refused(400, "args is an array and kwargs an object.", parameter="args")
    return TaskCall(args, kwargs, {})
