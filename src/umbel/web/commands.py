"""The commands of `/api/v1`: check what is asked, send it, wait for the workers and tell what each of them said.

Called by the route table only; the commands themselves are in `control.commands`.
"""

from collections.abc import Mapping
from contextlib import suppress

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from umbel.control import commands
from umbel.control.abilities import ACTIONS
from umbel.control.commander import Dispatch
from umbel.control.commands import Command, Outcome
from umbel.errors import QueryError, StoreError
from umbel.store.audit import AuditRow
from umbel.web import control_schema as wire
from umbel.web import query
from umbel.web.body import decode_body, json_response
from umbel.web.deps import Deps
from umbel.web.endpoint import Handler
from umbel.web.problem import Refused
from umbel.web.sending import refuse, send

#: Outcomes after which no answer is missing.
_COMPLETE = frozenset({"confirmed", "refused"})


class Commands:
    """Handlers by operation name."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @property
    def handlers(self) -> dict[str, Handler]:
        """Operation name -> handler."""
        return {
            "revokeTask": self.revoke,
            "getRevocation": self.get_revocation,
            "getWorkerControl": self.get_worker_control,
            "shutDownWorker": self.shutdown,
            "restartPool": self.restart_pool,
            "growPool": self.grow_pool,
            "shrinkPool": self.shrink_pool,
            "setAutoscale": self.autoscale,
            "addConsumer": self.add_consumer,
            "cancelConsumer": self.cancel_consumer,
            "setTimeLimits": self.time_limits,
            "setRateLimit": self.rate_limit,
            "listAudit": self.list_audit,
        }

    async def revoke(self, request: Request) -> Response:
        asked = await decode_body(request, wire.Revocation)
        uuid = request.path_params["uuid"]
        name = commands.signal_of(asked.signal)
        if name is None:
            allowed = ", ".join(commands.SIGNALS)
            raise Refused(400, f"signal is {asked.signal!r}; allowed: {allowed}.", parameter="signal")
        command = commands.revoke(uuid, terminate=asked.terminate, signal=name)
        why = await self._why_not_terminate(uuid) if asked.terminate else ""
        return await self._answer(request, command, asked.timeout, why)

    async def _why_not_terminate(self, uuid: str) -> str:
        """Why the worker that runs the task, where it is known, can't end it."""
        with suppress(StoreError):  # then it is sent, and the workers say
            detail = await run_sync(self._deps.reader.fetch_task, uuid)
            if detail is not None and detail.task.state == "STARTED" and detail.task.worker:
                return self._why_not(detail.task.worker, "terminate")
        return ""

    async def get_revocation(self, request: Request) -> Response:
        query.decode(request.query_params, query.NoQuery)
        uuid = request.path_params["uuid"]
        rows, _ = await run_sync(lambda: self._deps.audit.fetch(limit=1, action="revoke", target=uuid))
        detail = await run_sync(self._deps.reader.fetch_task, uuid)
        task_state = None if detail is None else detail.task.state
        ended = detail is not None and detail.task.finished
        return json_response(
            wire.RevocationOut(
                state=_revocation_state(rows[0] if rows else None, task_state, ended),  # type: ignore[arg-type]
                task_state=task_state,
                command=_audit_out(rows[0]) if rows else None,
            )
        )

    async def get_worker_control(self, request: Request) -> Response:
        query.decode(request.query_params, query.NoQuery)
        hostname = await self._worker(request)
        answers = self._deps.inspector.get_worker(hostname)
        nature = self._deps.commander.nature_of(hostname)
        whys = {action: nature.why_not(action) for action in ACTIONS}
        queues = answers.get("active_queues")
        names = (
            [queue.get("name") for queue in queues if isinstance(queue, dict)]
            if isinstance(queues, list)
            else []
        )
        return json_response(
            wire.WorkerControl(
                hostname=hostname,
                pool=nature.pool,
                concurrency=nature.concurrency,
                autoscale=nature.autoscale,
                queues=sorted(str(name) for name in names if name),
                abilities={
                    action: wire.Ability(possible=None if why is None else not why, reason=why or "")
                    for action, why in whys.items()
                },
                time=answers.get("timestamp"),
            )
        )

    async def shutdown(self, request: Request) -> Response:
        asked = await decode_body(request, wire.Plain)
        worker = await self._worker(request)
        return await self._answer(request, commands.shutdown(worker), asked.timeout)

    async def restart_pool(self, request: Request) -> Response:
        asked = await decode_body(request, wire.Plain)
        worker = await self._worker(request)
        why = self._why_not(worker, "pool_restart")
        return await self._answer(request, commands.pool_restart(worker), asked.timeout, why)

    async def grow_pool(self, request: Request) -> Response:
        asked = await decode_body(request, wire.PoolChange)
        worker = await self._worker(request)
        why = self._why_not(worker, "pool_grow")
        return await self._answer(request, commands.pool_grow(worker, asked.n), asked.timeout, why)

    async def shrink_pool(self, request: Request) -> Response:
        asked = await decode_body(request, wire.PoolChange)
        worker = await self._worker(request)
        why = self._why_not(worker, "pool_shrink")
        why = why or await self._deps.commander.why_not_shrink(worker, asked.n)
        return await self._answer(request, commands.pool_shrink(worker, asked.n), asked.timeout, why)

    async def autoscale(self, request: Request) -> Response:
        asked = await decode_body(request, wire.Autoscale)
        if asked.min > asked.max:
            raise Refused(400, f"min is {asked.min}, which is more than max, {asked.max}.", parameter="min")
        worker = await self._worker(request)
        command = commands.autoscale(worker, asked.min, asked.max)
        return await self._answer(request, command, asked.timeout, self._why_not(worker, "autoscale"))

    async def add_consumer(self, request: Request) -> Response:
        asked = await decode_body(request, wire.Consumer)
        worker = await self._worker(request)
        return await self._answer(request, commands.add_consumer(worker, asked.queue), asked.timeout)

    async def cancel_consumer(self, request: Request) -> Response:
        asked = await decode_body(request, wire.Consumer)
        worker = await self._worker(request)
        return await self._answer(request, commands.cancel_consumer(worker, asked.queue), asked.timeout)

    async def time_limits(self, request: Request) -> Response:
        asked = await decode_body(request, wire.TimeLimits)
        worker = await self._worker(request)
        limits = (("soft_time_limit", asked.soft), ("hard_time_limit", asked.hard))
        whys = [self._why_not(worker, action) for action, limit in limits if limit is not None]
        command = commands.time_limit(asked.task, worker, soft=asked.soft, hard=asked.hard)
        return await self._answer(request, command, asked.timeout, next(filter(None, whys), ""))

    async def rate_limit(self, request: Request) -> Response:
        asked = await decode_body(request, wire.RateLimit)
        worker = await self._worker(request)
        return await self._answer(request, commands.rate_limit(asked.task, worker, asked.rate), asked.timeout)

    async def list_audit(self, request: Request) -> Response:
        asked = query.decode(request.query_params, query.AuditQuery)
        try:
            rows, following = await run_sync(
                lambda: self._deps.audit.fetch(
                    limit=asked.limit,
                    cursor=asked.cursor,
                    action=asked.action,
                    target=asked.target,
                    who=asked.who,
                )
            )
        except QueryError as exc:
            raise Refused(400, str(exc), parameter="cursor") from exc
        except StoreError as exc:
            raise Refused(503, f"The audit can't be read now: {exc}") from exc
        return json_response(wire.AuditList(items=[_audit_out(row) for row in rows], next=following))

    async def _worker(self, request: Request) -> str:
        """The worker of the path. Raises Refused (404) for one that nobody has seen."""
        hostname: str = request.path_params["hostname"]
        if not await self._deps.commander.knows(hostname):
            raise Refused(404, f"Unknown worker '{hostname}'")
        return hostname

    def _why_not(self, hostname: str, action: str) -> str:
        """Why a worker can't do it, as far as that is known."""
        why = self._deps.commander.nature_of(hostname).why_not(action)
        return f"{hostname} can't: {why}" if why else ""

    async def _answer(
        self, request: Request, command: Command, timeout: float | None, why_not: str = ""
    ) -> Response:
        """Send it and tell what came of it; or write down and refuse (409) what is known to be impossible."""
        if why_not:
            await refuse(self._deps, request, command, why_not)
            raise Refused(409, f"Not sent: {why_not}.")
        dispatch = await send(self._deps, request, command, timeout=timeout)
        outcome = await dispatch.outcome
        return json_response(
            _command_out(command, dispatch, outcome), 200 if outcome.state in _COMPLETE else 202
        )


def _command_out(command: Command, dispatch: Dispatch, outcome: Outcome) -> wire.CommandOut:
    return wire.CommandOut(
        id=dispatch.number, action=command.action, target=command.target, time=dispatch.time,  # type: ignore[arg-type]
        outcome=outcome.state, confirmed=_said(outcome.confirmed), refused=_said(outcome.refused),  # type: ignore[arg-type]
        silent=outcome.silent, note=command.note,
    )  # fmt: skip


def _audit_out(row: AuditRow) -> wire.AuditOut:
    answers = row.answers
    return wire.AuditOut(
        id=row.id, time=row.time, ended=row.ended, who=row.who, login=row.login, address=row.address,
        action=row.action, target=row.target, parameters=row.parameters, outcome=row.outcome,  # type: ignore[arg-type]
        confirmed=_said(answers.get("confirmed", {})), refused=_said(answers.get("refused", {})),
        silent=answers.get("silent", []), detail=answers.get("detail", ""),
    )  # fmt: skip


def _said(texts: Mapping[str, str]) -> list[wire.WorkerSaid]:
    return [wire.WorkerSaid(worker=worker, text=text) for worker, text in texts.items()]


def _revocation_state(row: AuditRow | None, task_state: str | None, ended: bool) -> str:
    if task_state == "REVOKED":
        return "revoked"
    if ended:
        return "ended"
    if row is None or row.outcome in ("refused", "failed"):
        return "none"
    return "flagged" if row.outcome == "confirmed" else "requested"
