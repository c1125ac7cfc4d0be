"""The handlers of `/api/v1/queues`: wait for a reading of `control.queues`, encode it. Always an answer, never an
error page for the broker's sake: what can't be read is null, and `problems` say why.
"""

import asyncio
from concurrent.futures import Future
from typing import Any, TypeVar

import msgspec
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from umbel.brokers.base import Capabilities
from umbel.control.queues import Board, Look, Queues, QueueState, SeenMessage
from umbel.errors import BrokerUnavailable, NotSupported
from umbel.web import query, queue_schema
from umbel.web.deps import Deps
from umbel.web.endpoint import Handler
from umbel.web.problem import Refused

_T = TypeVar("_T")


class QueuesV1:
    """Reads of queues and of what waits in them."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._queues = deps.queues

    @property
    def handlers(self) -> dict[str, Handler]:
        """Operation name -> handler."""
        return {
            "listQueues": self.list_queues,
            "getQueue": self.get_queue,
            "listMessages": self.list_messages,
            "listQueueRollups": self.list_rollups,
        }

    async def list_queues(self, request: Request) -> Response:
        query.decode(request.query_params, query.NoQuery)
        board = await self._board()
        # 5 MB with 10,000 queues
        return await run_sync(lambda: _json(self._list_out(board)))

    async def get_queue(self, request: Request) -> Response:
        query.decode(request.query_params, query.NoQuery)
        name = request.path_params["name"]
        board = await self._board()
        state = board.queues.get(name)
        if state is None:
            raise Refused(404, f"Unknown queue '{name}'")
        return _json(
            queue_schema.QueueDetail(
                **_fields(state),
                capabilities=_capabilities(board.capabilities),
                problems=board.problems,
                time=board.time,
            )
        )

    async def list_messages(self, request: Request) -> Response:
        asked = query.decode(request.query_params, query.MessageQuery)
        name = request.path_params["name"]
        try:
            look = await _wait(
                self._queues.request_look(
                    name, offset=asked.offset, limit=asked.limit, unacked=asked.held == "yes"
                )
            )
        except NotSupported as exc:
            await fetch_state(self._queues, name)
            return _json(_nothing(name, str(exc), self._deps.now()))
        except BrokerUnavailable as exc:
            raise Refused(503, f"The queue can't be looked into now: {exc}") from exc
        if look.total == 0:
            await fetch_state(self._queues, name)
        return await run_sync(lambda: _json(_messages_out(name, look)))

    async def list_rollups(self, request: Request) -> Response:
        asked = query.decode(request.query_params, query.QueueRollupQuery)
        start, end = query.decode_bounds(asked, self._deps.now())
        return await run_sync(lambda: _json(self._list_rollups(asked, start, end)))

    def _list_rollups(
        self, asked: query.QueueRollupQuery, start: float, end: float
    ) -> queue_schema.QueueRollupList:
        rows = self._deps.reader.fetch_queue_rollups(
            queue=asked.queue, largest=asked.largest, span=asked.span, start=start, end=end
        )
        items = msgspec.convert(rows, list[queue_schema.QueueRollupOut], from_attributes=True)
        return queue_schema.QueueRollupList(span=asked.span, items=items)

    async def _board(self) -> Board:
        return await _fetch_board(self._queues)

    def _list_out(self, board: Board) -> queue_schema.QueueList:
        return queue_schema.QueueList(
            items=[queue_schema.QueueOut(**_fields(state)) for state in board.queues.values()],
            broker=self._deps.broker,
            driver=self._deps.driver,
            capabilities=_capabilities(board.capabilities),
            problems=board.problems,
            time=board.time,
        )


async def fetch_state(queues: Queues, name: str) -> QueueState:
    """One queue. Raises Refused (404, 503)."""
    state = (await _fetch_board(queues)).queues.get(name)
    if state is None:
        raise Refused(404, f"Unknown queue '{name}'")
    return state


async def _fetch_board(queues: Queues) -> Board:
    try:
        return await _wait(queues.request())
    except BrokerUnavailable as exc:
        raise Refused(503, str(exc)) from exc


def _fields(state: QueueState) -> dict[str, Any]:
    figures, oldest = state.figures, state.oldest
    return {
        "name": figures.name,
        "messages": figures.messages,
        "ready": figures.ready,
        "unacked": figures.unacked,
        "consumers": figures.consumers,
        "idle_since": figures.idle_since,
        "idle_basis": state.idle_basis,
        "oldest_task": None if oldest is None else oldest[0],
        "oldest_age": None if oldest is None else oldest[1].seconds,
        "oldest_basis": None if oldest is None else oldest[1].basis,
        "priorities": [
            queue_schema.PriorityCount(priority=step, ready=ready)
            for step, ready in figures.priorities.items()
            if ready
        ],
        "folded": list(figures.folded),
        "exists": figures.exists,
        "known_from": list(state.known_from),
        "columns": queue_schema.QueueColumns(**state.marks),
    }


def _capabilities(can: Capabilities) -> queue_schema.QueueCapabilities:
    return msgspec.convert(can, queue_schema.QueueCapabilities, from_attributes=True)


def _messages_out(name: str, look: Look) -> queue_schema.MessageList:
    return queue_schema.MessageList(
        queue=name,
        items=[_message_out(seen) for seen in look.messages],
        total=look.total,
        cut=look.cut,
        reason=None,
        time=look.time,
    )


def _message_out(seen: SeenMessage) -> queue_schema.MessageOut:
    age = seen.age
    return queue_schema.MessageOut(
        **msgspec.structs.asdict(seen.message),
        age=None if age is None else age.seconds,
        age_basis=None if age is None else age.basis,
    )


def _nothing(name: str, reason: str, now: float) -> queue_schema.MessageList:
    return queue_schema.MessageList(queue=name, items=[], total=None, cut=False, reason=reason, time=now)


async def _wait(future: Future[_T]) -> _T:
    """The future's result; shielded, for others may be waiting for the same reading."""
    return await asyncio.shield(asyncio.wrap_future(future))


def _json(value: Any) -> Response:
    body = msgspec.json.encode(value)
    return Response(body, media_type="application/json", headers={"cache-control": "no-store"})
