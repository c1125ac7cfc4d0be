"""The handlers of `/api/v1/revocation-jobs`: preview, start, stop, and what came of them.

Called by the route table only; `control.revocation_jobs` does it.
"""

from typing import Any

import msgspec
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from umbel.control.commands import SIGNALS, Outcome, signal_of
from umbel.control.revocation import MOST_TASKS, OUTCOMES, Fate
from umbel.control.revocation_jobs import Preview
from umbel.errors import StoreError
from umbel.store.revocation_jobs import Job
from umbel.web import query
from umbel.web import revocation_schema as wire
from umbel.web.api import task_query
from umbel.web.body import decode_body, json_response
from umbel.web.deps import Deps
from umbel.web.endpoint import Handler
from umbel.web.problem import Refused
from umbel.web.sending import asker_of, not_written


class RevocationJobsV1:
    """Handlers by operation name."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._jobs = deps.revocation_jobs
        self._store = deps.job_store

    @property
    def handlers(self) -> dict[str, Handler]:
        """Operation name -> handler."""
        return {
            "previewRevocation": self.preview,
            "listRevocationJobs": self.list_jobs,
            "getRevocationJob": self.get_job,
            "listRevocationItems": self.list_items,
            "startRevocation": self.start,
            "stopRevocation": self.stop,
        }

    async def preview(self, request: Request) -> Response:
        asked = await decode_body(request, wire.RevocationPreview)
        found, told = await self._find(asked)
        if found.is_too_many:
            raise Refused(400, f"More than {MOST_TASKS:,} tasks match; a job takes no more: narrow it down.")
        asker = asker_of(request)
        number = await self._record(request, "preview_revocation", "", told)
        try:
            job = await run_sync(
                lambda: self._store.create(asker, told, found.items, found.left_out, Fate.WAITING)
            )
        except StoreError as exc:
            await self._deps.commander.complete(number, Outcome(state="failed", detail=str(exc)))
            raise Refused(503, f"The preview can't be kept now: {exc}") from exc
        words = f"job {job}: {len(found.items):,} tasks, none of them told yet"
        await self._deps.commander.complete(number, Outcome(state="confirmed", detail=words))
        return json_response(self._out(await self._fetch(job)))

    async def _find(self, asked: wire.RevocationPreview) -> tuple[Preview, dict[str, Any]]:
        """The tasks, and what was asked for in words. Raises Refused (400)."""
        if bool(asked.ids) == (asked.filter is not None):
            raise Refused(400, "Give either ids or filter.", parameter="filter" if asked.ids else "ids")
        if asked.filter is None:
            return await run_sync(self._jobs.find_ids, asked.ids), {"ids": len(set(asked.ids))}
        told: dict[str, Any] = msgspec.to_builtins(asked.filter)
        if not told:
            raise Refused(400, "The filter is empty, which would be every task.", parameter="filter")
        wanted = task_query(msgspec.convert(told, query.TaskListQuery))
        return await run_sync(self._jobs.find, wanted), told

    async def start(self, request: Request) -> Response:
        asked = await decode_body(request, wire.RevocationStart)
        job = await self._fetch(self._number(request))
        name = signal_of(asked.signal)
        if name is None:
            allowed = ", ".join(SIGNALS)
            raise Refused(400, f"signal is {asked.signal!r}; allowed: {allowed}.", parameter="signal")
        if asked.confirm != job.total:
            raise Refused(
                400, f"confirm is {asked.confirm}; the preview has {job.total} tasks.", parameter="confirm"
            )
        if why := await run_sync(self._jobs.why_not_start, job):
            await self._refuse(request, "revoke_many", job.id, why)
        signal = name if asked.terminate else ""
        try:
            has_begun = await self._jobs.begin(
                job, asker_of(request), terminate=asked.terminate, signal=signal
            )
        except StoreError as exc:
            raise not_written(exc) from exc
        if not has_begun:
            raise Refused(409, "Not sent: it was started already, or another job runs.")
        return json_response(self._out(await self._fetch(job.id)), 202)

    async def stop(self, request: Request) -> Response:
        await decode_body(request, wire.RevocationStop)
        job = await self._fetch(self._number(request))
        if job.state != "running":
            await self._refuse(request, "stop_revocation", job.id, f"It does not run: it is {job.state}.")
        if self._jobs.running != job.id:
            await self._refuse(request, "stop_revocation", job.id, "Another server runs it: stop it there.")
        number = await self._record(request, "stop_revocation", str(job.id), {})
        self._jobs.halt(job.id)
        await self._deps.commander.complete(
            number, Outcome(state="confirmed", detail="it sends no more; what it has sent it finishes")
        )
        return json_response(self._out(await self._fetch(job.id)), 202)

    async def list_jobs(self, request: Request) -> Response:
        asked = query.decode(request.query_params, query.JobQuery)
        before = _cursor(asked.cursor)
        jobs = await run_sync(lambda: self._store.fetch_page(limit=asked.limit + 1, before=before))
        shown = jobs[: asked.limit]
        following = str(shown[-1].id) if len(jobs) > asked.limit else None
        return json_response(wire.RevocationJobList(items=[self._out(job) for job in shown], next=following))

    async def get_job(self, request: Request) -> Response:
        query.decode(request.query_params, query.NoQuery)
        return json_response(self._out(await self._fetch(self._number(request))))

    async def list_items(self, request: Request) -> Response:
        asked = query.decode(request.query_params, query.JobItemQuery)
        job = await self._fetch(self._number(request))
        start = _cursor(asked.cursor) or 0
        items = await run_sync(
            lambda: self._store.fetch_items(job.id, outcome=asked.outcome, start=start, limit=asked.limit + 1)
        )
        shown = items[: asked.limit]
        standings = await run_sync(self._deps.reader.fetch_standings, [item.uuid for item in shown])
        return json_response(
            wire.RevocationItemList(
                items=[
                    wire.RevocationItemOut(
                        uuid=item.uuid, name=item.name, state=item.state, outcome=item.outcome,  # type: ignore[arg-type]
                        detail=item.detail,
                        task_state=standings[item.uuid].state if item.uuid in standings else None,
                    )
                    for item in shown
                ],
                next=str(items[asked.limit].n) if len(items) > asked.limit else None,
            )
        )  # fmt: skip

    def _number(self, request: Request) -> int:
        """The job of the path. Raises Refused (404)."""
        text = request.path_params["job"]
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise Refused(404, f"Unknown job '{text}'")
        return int(text)

    async def _fetch(self, number: int) -> Job:
        try:
            job = await run_sync(self._store.fetch, number)
        except StoreError as exc:
            raise Refused(503, f"The jobs can't be read now: {exc}") from exc
        if job is None:
            raise Refused(404, f"Unknown job '{number}'")
        return job

    async def _record(self, request: Request, action: str, target: str, parameters: dict[str, Any]) -> int:
        try:
            return await self._deps.commander.record(action, target, parameters, asker_of(request))
        except StoreError as exc:
            raise not_written(exc) from exc

    async def _refuse(self, request: Request, action: str, job: int, why: str) -> None:
        """Write down what is not done, and raise Refused (409)."""
        number = await self._record(request, action, str(job), {})
        await self._deps.commander.complete(number, Outcome(state="refused", detail=f"not sent: {why}"))
        raise Refused(409, f"Not sent: {why}")

    def _out(self, job: Job) -> wire.RevocationJobOut:
        known = [fate for fate in OUTCOMES if job.outcomes.get(fate)]
        return wire.RevocationJobOut(
            id=job.id, state=job.state, stopping=self._jobs.is_stopping(job.id), created=job.created,  # type: ignore[arg-type]
            started=job.started, ended=job.ended, who=job.who, address=job.address, asked=job.asked,
            total=job.total, states=_counts(job.states), left_out=_counts(job.left_out),
            terminate=job.terminate, signal=job.signal, silent=job.silent, detail=job.detail,
            outcomes=[wire.OutcomeCount(outcome=fate, count=job.outcomes[fate]) for fate in known],  # type: ignore[arg-type]
            command=job.command,
        )  # fmt: skip


def _counts(counts: dict[str, int]) -> list[wire.StateCount]:
    return [wire.StateCount(state=state or None, count=count) for state, count in sorted(counts.items())]


def _cursor(text: str | None) -> int | None:
    if text is not None and not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Refused(400, f"The cursor {text!r} is not one of this list", parameter="cursor")
    return None if text is None else int(text)
