"""The handlers of `/api/v1`: check the query, ask the store in a thread, encode the answer."""

from collections.abc import Callable
from typing import Any

import msgspec
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from umbel import __version__
from umbel.auth.base import Guard
from umbel.control.doctor import examine
from umbel.control.examine import gather
from umbel.errors import QueryError
from umbel.model.rollup import together
from umbel.store.base import Count, TaskQuery
from umbel.store.search import parse_search
from umbel.web import openapi, query, schema, wire
from umbel.web.deps import Deps
from umbel.web.endpoint import Handler, identity_of
from umbel.web.lookup import find_task
from umbel.web.present import Present
from umbel.web.problem import Refused
from umbel.web.retry_links import fetch_links

#: Counting the matches of a filter stops here; beyond it a page shows "more than".
COUNT_LIMIT = 10_000


class V1:
    """Every read of the API."""

    def __init__(self, deps: Deps, present: Present, guard: Guard) -> None:
        self._deps = deps
        self._present = present
        self._guard = guard
        self._document = openapi.text().encode()

    @property
    def handlers(self) -> dict[str, Handler]:
        """Operation name -> handler; `stream` is served by `stream.Stream`."""
        return {
            "listTasks": self.list_tasks,
            "getTask": self.get_task,
            "getFacets": self.get_facets,
            "listWorkers": self.list_workers,
            "getWorker": self.get_worker,
            "listRollups": self.list_rollups,
            "listGaps": self.list_gaps,
            "getStatus": self.get_status,
            "listFindings": self.list_findings,
            "getSettings": self.get_settings,
            "getOpenapi": self.get_openapi,
        }

    async def list_tasks(self, request: Request) -> Response:
        asked = query.decode(request.query_params, query.TaskListQuery)
        wanted = task_query(asked)
        return await _answer(lambda: self._list_tasks(wanted, asked))

    def _list_tasks(self, wanted: TaskQuery, asked: query.TaskListQuery) -> schema.TaskList:
        reader = self._deps.reader
        try:
            page = reader.fetch_tasks(wanted, limit=asked.limit, cursor=asked.cursor)
        except QueryError as exc:
            raise Refused(400, str(exc), parameter="cursor") from exc
        if page.next is None and asked.cursor is None:
            count = Count(len(page.tasks), True)  # all of them are here
        else:
            count = reader.count_tasks(wanted, limit=COUNT_LIMIT)
        return schema.TaskList(
            items=[wire.task_out(task) for task in page.tasks],
            next=page.next,
            total=schema.Total(value=count.value, exact=count.exact),
        )

    async def get_task(self, request: Request) -> Response:
        _no_query(request)
        uuid = request.path_params["uuid"]
        found = await find_task(self._deps, uuid)
        return await _answer(
            lambda: wire.task_detail_out(
                found.detail, found.note, *fetch_links(self._deps.audit, found.detail.task)
            )
        )

    async def get_facets(self, request: Request) -> Response:
        asked = query.decode(request.query_params, query.FacetQuery)
        return await _answer(lambda: self._present.fetch_facets(name=asked.name, worker=asked.worker))

    async def list_workers(self, request: Request) -> Response:
        _no_query(request)
        return await _answer(self._present.fetch_workers)

    async def get_worker(self, request: Request) -> Response:
        _no_query(request)
        hostname = request.path_params["hostname"]
        rows = await run_sync(self._present.fetch_workers)
        for row in rows.items:
            if row.hostname == hostname:
                return _json(row)
        raise Refused(404, f"Unknown worker '{hostname}'")

    async def list_rollups(self, request: Request) -> Response:
        asked = query.decode(request.query_params, query.RollupQuery)
        start, end = query.decode_bounds(asked, self._deps.now())
        if asked.kind == "all" and asked.label is not None:
            raise Refused(400, "Buckets of all tasks have no label.", parameter="label")
        return await _answer(lambda: self._list_rollups(asked, start, end))

    def _list_rollups(self, asked: query.RollupQuery, start: float, end: float) -> schema.RollupList:
        is_all = asked.kind == "all"
        rows = self._deps.reader.fetch_rollups(
            kind="task" if is_all else asked.kind, label=asked.label, span=asked.span, start=start, end=end
        )
        if is_all:
            rows = together(rows)
        return schema.RollupList(
            span=asked.span,
            items=[wire.rollup_out(key, rollup) for key, rollup in rows],
        )

    async def list_gaps(self, request: Request) -> Response:
        asked = query.decode(request.query_params, query.GapQuery)
        fetch = self._deps.reader.fetch_gaps
        return await _answer(
            lambda: schema.GapList(items=[wire.gap_out(gap) for gap in fetch(limit=asked.limit)])
        )

    async def get_status(self, request: Request) -> Response:
        _no_query(request)
        return await _answer(self._present.fetch_status)

    async def list_findings(self, request: Request) -> Response:
        _no_query(request)
        return await _answer(self._list_findings)

    def _list_findings(self) -> schema.FindingList:
        deps = self._deps
        if deps.app is None:
            return schema.FindingList(items=[])
        own = deps.status()
        is_standby = own is not None and own.state == "standby"
        facts = gather(
            deps.app,
            now=deps.now(),
            reader=deps.reader,
            status=self._present.fetch_collector(),
            confs=deps.inspector.get_confs(),
            # of two monitors only the one that writes samples the queues
            stalls=None if is_standby else deps.sampler.stalls,
            is_standby=is_standby,
        )
        return schema.FindingList(items=examine(facts))

    async def get_settings(self, request: Request) -> Response:
        _no_query(request)
        config = self._deps.config
        return _json(
            schema.Settings(
                version=__version__,
                url_prefix=prefix_of(config.url_prefix),
                timezone=self._deps.timezone,
                natural_time=config.natural_time,
                auto_refresh=config.auto_refresh,
                tasks_columns=list(config.tasks_columns),
                read_only=config.read_only,
                commands=self._guard.stance,
                can_abort=self._deps.calling.can_abort,
                identity=identity_of(request).name,
                broker=self._deps.broker,
            )
        )

    async def get_openapi(self, request: Request) -> Response:
        _no_query(request)
        return Response(self._document, media_type="application/json")


def prefix_of(url_prefix: str) -> str:
    """The prefix as it stands in front of every path: "" or "/flower"."""
    return f"/{url_prefix}" if url_prefix else ""


def task_query(asked: query.TaskListQuery) -> TaskQuery:
    """What the store is asked for. Raises Refused (400)."""
    try:
        search = parse_search(asked.search)
    except QueryError as exc:
        raise Refused(400, str(exc), parameter="search") from exc
    return TaskQuery(
        search=search,
        states=tuple(asked.state),
        name=asked.name,
        worker=asked.worker,
        root_id=asked.root_id,
        parent_id=asked.parent_id,
        received_start=query.decode_moment(asked.received_from, "received_from"),
        received_end=query.decode_moment(asked.received_to, "received_to"),
        sort=asked.sort.removeprefix("-"),  # type: ignore[arg-type]  # checked against SORTS
        descending=asked.sort.startswith("-"),
    )


def _no_query(request: Request) -> None:
    query.decode(request.query_params, query.NoQuery)


async def _answer(make: Callable[[], Any]) -> Response:
    """What `make` gives, computed and encoded in a thread."""
    body = await run_sync(lambda: msgspec.json.encode(make()))
    return Response(body, media_type="application/json", headers={"cache-control": "no-store"})


def _json(value: Any) -> Response:
    return Response(
        msgspec.json.encode(value),
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )
