"""Flower's task reads: `/api/tasks`, `/api/task/info`, `/api/task/types` and `/tasks/datatable`."""

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, get_args

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from umbel.errors import SearchError
from umbel.model.task import Task
from umbel.store.base import Count, SortField, TaskQuery
from umbel.store.search import parse_search
from umbel.web.arguments import Arguments
from umbel.web.deps import Deps
from umbel.web.flower_json import JSON_TYPE, answer, dumps, dumps_plain, json_answer
from umbel.web.flower_task import are_plain, as_item, listed_text
from umbel.web.format_hook import apply_hook
from umbel.web.large import LargeAnswers
from umbel.web.lookup import find_task
from umbel.web.problem import Refused

#: Tasks read, rendered and sent at a time.
CHUNK = 1_000
#: Up to so many tasks are answered whole, with an ETag; more are streamed.
WHOLE = 10_000

#: The table counts the matches of a text search so far.
COUNT_LIMIT = 10_000

_SORTS = ("name", "received", "started", "state")
_COLUMNS = frozenset(get_args(SortField))


class FlowerTasks:
    """Handlers over the history."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._large = LargeAnswers()

    async def tasks(self, request: Request) -> Response:
        arguments = await Arguments.read(request)
        limit = arguments.get_int("limit")
        offset = _rows_to_skip(arguments.get_int("offset", 0) or 0)
        try:
            query = _list_query(arguments)
        except SearchError as exc:
            return json_answer(request, {"error": str(exc)}, 400)
        if limit is not None and limit <= 0:
            return json_answer(request, {})
        parts = self._parts(query, limit, offset)
        if limit is not None and limit <= CHUNK:
            return await run_sync(self._list, request, parts)
        with self._large.answering():
            if not await self._large.run(lambda: self._is_long(query, limit, offset)):
                return await self._large.run(lambda: self._list(request, parts))
            # what can't be read is told before anything is sent
            first = await self._large.run(lambda: next(parts, ""))
        return StreamingResponse(self._stream(first, parts), headers={"content-type": JSON_TYPE})

    def _list(self, request: Request, parts: Iterator[str]) -> Response:
        return answer(request, "{" + ", ".join(parts) + "}")

    def _is_long(self, query: TaskQuery, limit: int | None, offset: int) -> bool:
        """More than WHOLE tasks are asked for, and may be there."""
        if limit is not None and limit <= WHOLE:
            return False
        found = self._deps.reader.count_tasks(query, limit=offset + WHOLE)
        return found.value > offset + WHOLE or not found.exact

    async def _stream(self, part: str | None, rest: Iterator[str]) -> AsyncIterator[str]:
        between = "{"
        with self._large.answering():
            while part is not None:
                yield between + part
                between = ", "
                part = await self._large.run(lambda: next(rest, None))
        yield "}"

    def _parts(self, query: TaskQuery, limit: int | None, offset: int) -> Iterator[str]:
        """The JSON of matching tasks, `CHUNK` at a time, without braces. Blocking."""
        reader = self._deps.reader
        cursor: str | None = None
        left = limit
        while left is None or left > 0:
            size = CHUNK if left is None else min(CHUNK, left)
            page = reader.fetch_tasks(query, limit=size, cursor=cursor, offset=0 if cursor else offset)
            if page.tasks:
                children = reader.fetch_children([task.uuid for task in page.tasks])
                yield listed_text(page.tasks, children)[1:-1]
            cursor = page.next
            if cursor is None:
                return
            left = None if left is None else left - len(page.tasks)

    async def info(self, request: Request) -> Response:
        uuid = request.path_params["uuid"]
        try:
            found = await find_task(self._deps, uuid)
        except Refused as exc:  # Flower asks no result backend, and never answers 503 here
            raise Refused(404, f"Unknown task '{uuid}'") from exc
        item = as_item(found.detail.task, found.detail.children)
        if found.stored is not None:
            item["timestamp"] = found.stored.date_done
            item["source"] = "result-backend"
        return json_answer(request, item)

    async def types(self, request: Request) -> Response:
        return json_answer(request, {"task-types": await run_sync(self._deps.reader.fetch_task_types)})

    async def datatable(self, request: Request) -> Response:
        arguments = await Arguments.read(request)
        draw = arguments.need_int("draw")
        start = _rows_to_skip(arguments.need_int("start"))
        length = arguments.need_int("length")
        column = arguments.need_int("order[0][column]")
        field = arguments.get_text(f"columns[{column}][data]")
        descending = arguments.get_text("order[0][dir]") == "desc"
        body: dict[str, Any] = {
            "draw": draw,
            "data": [],
            "recordsTotal": 0,
            "recordsFiltered": 0,
        }
        try:
            query = _table_query(arguments.get_text("search[value]"), field, descending)
        except SearchError as exc:
            body["recordsTotal"] = await run_sync(self._count, TaskQuery())
            return json_answer(request, body | {"searchError": str(exc)})
        if length <= CHUNK:
            return await run_sync(self._table, request, body, query, start, length)
        with self._large.answering():
            return await self._large.run(lambda: self._table(request, body, query, start, length))

    def _table(
        self, request: Request, body: dict[str, Any], query: TaskQuery, start: int, length: int
    ) -> Response:
        tasks = self._fetch(query, start, length)
        children = self._deps.reader.fetch_children([task.uuid for task in tasks])
        hook = self._deps.format_task
        items = [as_item(task, children.get(task.uuid, ())) for task in tasks]
        body["data"] = items if hook is None else [apply_hook(hook, item) for item in items]
        body["recordsTotal"] = self._count(TaskQuery())
        found = self._count_filtered(query, start, tasks, length)
        # where counting stopped, the page that is shown counts as well
        body["recordsFiltered"] = max(found.value, start + len(tasks)) if tasks else found.value
        if not found.exact:
            body["recordsFilteredIsFloor"] = True
        is_plain = hook is None and are_plain(tasks)
        return answer(request, (dumps_plain if is_plain else dumps)(body))

    def _fetch(self, query: TaskQuery, start: int, length: int) -> list[Task]:
        reader = self._deps.reader
        tasks: list[Task] = []
        cursor: str | None = None
        while len(tasks) < length:
            size = min(CHUNK, length - len(tasks))
            page = reader.fetch_tasks(query, limit=size, cursor=cursor, offset=0 if cursor else start)
            tasks += page.tasks
            cursor = page.next
            if cursor is None:
                break
        return tasks

    def _count_filtered(self, query: TaskQuery, start: int, tasks: Sequence[Task], length: int) -> Count:
        """How many match; nothing is left to count where the last of them are shown."""
        if len(tasks) < length and (tasks or not start):
            return Count(start + len(tasks), True)
        return self._deps.reader.count_tasks(query, limit=COUNT_LIMIT)

    def _count(self, query: TaskQuery) -> int:
        return self._deps.reader.count_tasks(query, limit=COUNT_LIMIT).value


def _list_query(arguments: Arguments) -> TaskQuery:
    """The filters and order of `/api/tasks`. Raises Refused (400), SearchError."""
    sort = arguments.get_text("sort_by")
    field = sort.removeprefix("-")
    if sort and field not in _SORTS:
        raise Refused(400, f"Invalid sort_by '{sort}', expected one of {', '.join(_SORTS)}")
    state = _filter(arguments.get_text("state"))
    return TaskQuery(
        search=parse_search(arguments.get_text("search")),
        states=(state,) if state else (),
        name=_filter(arguments.get_text("taskname")),
        worker=_filter(arguments.get_text("workername")),
        received_start=_local_time(arguments.get_text("received_start")),
        received_end=_local_time(arguments.get_text("received_end")),
        sort=field or "updated",  # type: ignore[arg-type]  # one of _SORTS
        descending=sort.startswith("-") or not sort,
    )


def _table_query(search: str, field: str, descending: bool) -> TaskQuery:
    """The search and order of the table. Raises SearchError.

    As in Flower, no column means newest first, and one that no task has leaves only the ids to sort by.
    """
    parsed = parse_search(search)
    if not field:
        return TaskQuery(search=parsed)
    sort = "updated" if field == "timestamp" else field
    known = sort if sort in _COLUMNS else "uuid"
    return TaskQuery(search=parsed, sort=known, descending=descending)  # type: ignore[arg-type]


def _rows_to_skip(number: int) -> int:
    """Negative is 0 as in Flower; no history has more rows than databases can count."""
    return min(max(0, number), 2**62)


def _filter(value: str) -> str | None:
    return None if value in ("", "All") else value


def _local_time(value: str) -> float | None:
    """Epoch seconds of a minute in the server's own zone, as Flower reads it. Raises Refused (400)."""
    if not value:
        return None
    try:
        return time.mktime(time.strptime(value, "%Y-%m-%d %H:%M"))
    except (ValueError, OverflowError) as exc:
        raise Refused(
            400,
            "Invalid received_start or received_end, expected format 'YYYY-MM-DD HH:MM'",
        ) from exc
