"""`POST /api/v1/queues/{name}/purge`: throws away what waits in a queue, written down before it is done.

Called by the route table only; `control.queues` does it.
"""

from starlette.requests import Request
from starlette.responses import Response

from umbel.control.commands import Outcome
from umbel.control.queues import QueueState
from umbel.errors import BrokerUnavailable, NoSuchQueue, NotSupported, StoreError
from umbel.web.body import decode_body, json_response
from umbel.web.deps import Deps
from umbel.web.endpoint import Handler
from umbel.web.problem import Refused
from umbel.web.queue_schema import Purge, PurgeOut
from umbel.web.queues import fetch_state
from umbel.web.sending import asker_of, not_written

_UNABLE = "This kind of broker can't be purged from here."


class Purging:
    """The one command about a queue."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @property
    def handlers(self) -> dict[str, Handler]:
        """Operation name -> handler."""
        return {"purgeQueue": self.purge}

    async def purge(self, request: Request) -> Response:
        asked = await decode_body(request, Purge)
        name = request.path_params["name"]
        if asked.confirm != name:
            raise Refused(
                400,
                f"confirm is {asked.confirm!r}; it must be the queue's name, {name!r}.",
                parameter="confirm",
            )
        state = await fetch_state(self._deps.queues, name)
        number = await self._record(request, name)
        if why := self._why_not(state):
            await self._deps.commander.complete(number, Outcome(state="refused", detail=f"not sent: {why}"))
            raise Refused(409, f"Not sent: {why}")
        began = self._deps.now()
        removed = await self._purge(number, name)
        words = "1 message was" if removed == 1 else f"{removed:,} messages were"
        await self._deps.commander.complete(number, Outcome(state="confirmed", detail=f"{words} thrown away"))
        return json_response(PurgeOut(id=number, queue=name, removed=removed, time=began))

    async def _record(self, request: Request, name: str) -> int:
        try:
            return await self._deps.commander.record("purge", name, {}, asker_of(request))
        except StoreError as exc:
            raise not_written(exc) from exc

    def _why_not(self, state: QueueState) -> str:
        if not self._deps.queues.capabilities.purge:
            return _UNABLE
        if state.figures.folded:
            return "It sums up several queues of Celery's own."
        return ""

    async def _purge(self, number: int, name: str) -> int:
        """Raises Refused, with what is known of it written down."""
        try:
            return await self._deps.queues.purge(name)
        except (NoSuchQueue, NotSupported) as exc:
            await self._deps.commander.complete(number, Outcome(state="refused", detail=str(exc)))
            raise Refused(404 if isinstance(exc, NoSuchQueue) else 409, str(exc)) from exc
        except BrokerUnavailable as exc:
            # nothing or all of it was done
            await self._deps.commander.complete(number, Outcome(state="silent", detail=str(exc)))
            raise Refused(503, f"It is not known whether the queue was purged: {exc}") from exc
