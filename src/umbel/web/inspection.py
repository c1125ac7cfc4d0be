"""The handler of `/api/v1/workers/{hostname}/inspection`: what the inspect cache holds of one worker, put into a
shape that does not depend on the worker's version. Answers are untrusted: what is odd in them counts as not told.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from umbel.errors import InspectError
from umbel.model.redact import Redactor
from umbel.web import inspection_schema as wire
from umbel.web import query
from umbel.web.deps import Deps
from umbel.web.endpoint import Handler
from umbel.web.problem import Refused

_T = TypeVar("_T")
Verdict: TypeAlias = Literal["answered", "silent", "failed"]

#: Seconds beyond the workers' own time-out, for a broker that is slow to connect.
PATIENCE = 5.0
#: Characters of one task's arguments.
LONGEST_ARGUMENTS = 1_000
_LISTS = ("registered", "active", "scheduled", "reserved", "revoked")


class Inspection:
    """One worker's answers."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @property
    def handlers(self) -> dict[str, Handler]:
        """Operation name -> handler."""
        return {"getInspection": self.get_inspection}

    async def get_inspection(self, request: Request) -> Response:
        asked = query.decode(request.query_params, query.InspectionQuery)
        hostname = request.path_params["hostname"]
        if not await self._deps.commander.knows(hostname):
            raise Refused(404, f"Unknown worker '{hostname}'")
        verdict, problem = await self._ask(hostname) if asked.refresh == "yes" else (None, "")
        answers = self._deps.inspector.get_worker(hostname)
        body = await run_sync(
            lambda: msgspec.json.encode(self._out(hostname, answers, verdict, problem, asked.limit))
        )
        return Response(body, media_type="application/json", headers={"cache-control": "no-store"})

    async def _ask(self, hostname: str) -> tuple[Verdict, str]:
        """Ask the worker everything now; what came of it, and why it could not be asked."""
        run = asyncio.wrap_future(self._deps.inspector.request(hostname))
        try:
            # others may wait for the same run
            heard = await asyncio.wait_for(asyncio.shield(run), self._deps.config.inspect_timeout + PATIENCE)
        except TimeoutError:
            return "failed", "the broker gave no answer"
        except InspectError as exc:
            return "failed", str(exc)
        return "answered" if hostname in heard else "silent", ""

    def _out(
        self, hostname: str, answers: Mapping[str, Any], verdict: Verdict | None, problem: str, limit: int
    ) -> wire.InspectionOut:
        redactor = self._deps.redactor

        def held(method: str) -> list[wire.HeldTask] | None:
            return _items(answers.get(method), limit, lambda item: _task(item, redactor))

        lists = {name: answers.get(name) for name in _LISTS}
        return wire.InspectionOut(
            hostname=hostname,
            time=answers.get("timestamp"),
            asked=verdict,
            problem=problem,
            stats=_record(answers.get("stats")),
            conf=_record(answers.get("conf")),
            queues=_items(answers.get("active_queues"), limit, _queue),
            registered=_items(answers.get("registered"), limit, _text),
            active=held("active"),
            scheduled=held("scheduled"),
            reserved=held("reserved"),
            revoked=_items(answers.get("revoked"), limit, _text),
            lengths=wire.ListLengths(
                **{name: len(value) if isinstance(value, list) else None for name, value in lists.items()}
            ),
        )


def _items(value: Any, limit: int, make: Callable[[Any], _T | None]) -> list[_T] | None:
    """The first entries of a list that can be read; None where there is no list."""
    if not isinstance(value, list):
        return None
    return [made for item in value[:limit] if (made := make(item)) is not None]


def _task(item: Any, redactor: Redactor | None) -> wire.HeldTask | None:
    if not isinstance(item, dict):
        return None
    # scheduled tasks stand inside of their time
    inner = item.get("request")
    request = inner if isinstance(inner, dict) else item
    eta = _text(item.get("eta"))
    return wire.HeldTask(
        id=_text(request.get("id")),
        name=_text(request.get("name")) or _text(request.get("type")),
        args=_printed(request.get("args"), redactor),
        kwargs=_printed(request.get("kwargs"), redactor),
        eta=eta if inner is not None else None,
        started=_epoch(request.get("time_start")),
        pid=_of(int, request.get("worker_pid")),
        acknowledged=_of(bool, request.get("acknowledged")),
    )


def _queue(item: Any) -> wire.ConsumedQueue | None:
    if not isinstance(item, dict) or not isinstance(name := item.get("name"), str):
        return None
    return wire.ConsumedQueue(
        name=name,
        routing_key=_text(item.get("routing_key")),
        alias=_text(item.get("alias")),
        exclusive=_of(bool, item.get("exclusive")),
        durable=_of(bool, item.get("durable")),
        auto_delete=_of(bool, item.get("auto_delete")),
        no_ack=_of(bool, item.get("no_ack")),
        queue_arguments=_record(item.get("queue_arguments")),
        binding_arguments=_record(item.get("binding_arguments")),
    )


def _printed(value: Any, redactor: Redactor | None) -> str | None:
    """Arguments as Python prints them, cut and redacted; workers before Celery 4 sent texts."""
    if value is None:
        return None
    text = value if isinstance(value, str) else repr(tuple(value) if isinstance(value, list) else value)
    short = text if len(text) <= LONGEST_ARGUMENTS else text[:LONGEST_ARGUMENTS] + "…"
    return short if redactor is None else redactor.redact_text(short)


def _epoch(value: Any) -> float | None:
    """A time of a worker's, unless it is monotonic (Celery before 4.4) or absurd."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value) if 1e9 < value < 1e11 else None


def _of(kind: type[_T], value: Any) -> _T | None:
    return value if type(value) is kind else None


def _text(value: Any) -> str | None:
    """A text that JSON can carry."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else None


def _record(value: Any) -> dict[str, Any] | None:
    return _clean(value) if isinstance(value, dict) else None


def _clean(value: Any) -> Any:
    """A JSON value without lone surrogates, and with whole numbers that every reader takes."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {_text(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    return value
