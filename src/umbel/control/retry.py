"""Retry: sends a task that has ended once more, with the arguments that it received.

They come from its message while that is still at the broker, or from its result where `result_extended` keeps them
there; never from their printed form, which only fills a form to be edited. `Retrier.plan` says whether, from where and
with what, and changes nothing; `Retrier.send` publishes what it planned.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from celery import Celery
from celery.utils.saferepr import saferepr

from umbel.brokers.base import Search
from umbel.control import fidelity
from umbel.control.call_options import TaskCall
from umbel.control.calling import Calling
from umbel.control.inspect import Inspector
from umbel.control.queues import Queues
from umbel.control.received import Received, from_message, from_result
from umbel.control.route import Destination, find_destination
from umbel.control.stored_result import StoredResult, read_meta
from umbel.errors import BackendUnavailable, BrokerError, NoBackend, Unusable
from umbel.model.task import UNKNOWN, Task
from umbel.store.base import HistoryReader

#: Of the new message: the id of the task that it repeats. Workers see it in `request.headers`.
HEADER = "umbel_retry_of"
#: Seconds that a search at the broker is waited for.
SEARCH_PATIENCE = 8.0

Source = Literal["message", "result"]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a retry of a task would be."""

    #: None: the arguments that it received are not known.
    source: Source | None
    received: Received | None
    #: Why it can't be sent as it was; "" where it can.
    reason: str
    name: str | None
    destination: Destination | None
    #: By which its arguments come back just as they were.
    serializer: str | None
    #: What should be known before it is sent, each a sentence.
    cautions: list[str]


class Retrier:
    """Every method runs on the event loop and blocks nobody."""

    def __init__(
        self, app: Celery, calling: Calling, queues: Queues, inspector: Inspector, reader: HistoryReader
    ) -> None:
        self._app = app
        self._calling = calling
        self._queues = queues
        self._inspector = inspector
        self._reader = reader

    @property
    def accepted(self) -> frozenset[str]:
        """The serializers of messages that workers take, as far as they told."""
        return fidelity.accepted_by(self._app.conf.accept_content or (), self._inspector.get_confs().values())

    async def plan(self, task: Task, stored: StoredResult | None) -> Plan:
        """`stored` is what the result backend is known to keep; it is asked where that is None."""
        if not task.finished:
            return _refused(task, f"It has not ended: its state is {task.state}.")
        whys: list[str] = []
        received: Received | None = None
        source: Source | None = None
        for name, find in (("message", self._find_message), ("result", self._find_result)):
            try:
                received, source = await find(task, stored), name  # type: ignore[assignment]
                break
            except Unusable as exc:
                whys.append(str(exc))
        return await asyncio.to_thread(self._judge, task, source, received, " ".join(whys))

    async def _find_message(self, task: Task, _: StoredResult | None) -> Received:
        first = [name for name in (task.queue, task.routing_key) if name]
        try:
            searched = asyncio.wrap_future(self._queues.request_search(task.uuid, first))
            search = await asyncio.wait_for(searched, SEARCH_PATIENCE)
        except BrokerError as exc:
            raise Unusable(f"Its message can't be looked for: {exc}") from exc
        except TimeoutError as exc:
            raise Unusable("Its message can't be looked for: the broker gave no answer in time.") from exc
        if search.message is None:
            raise Unusable(_not_found(search))
        message = search.message
        return await asyncio.to_thread(from_message, message, self._app.conf.accept_content)

    async def _find_result(self, task: Task, stored: StoredResult | None) -> Received:
        if stored is None:
            try:
                stored = read_meta(task.uuid, await self._calling.look_up(task.uuid))
            except NoBackend as exc:
                raise Unusable(f"Its result can't be asked for: {exc}.") from exc
            except BackendUnavailable as exc:
                raise Unusable(f"The result backend can't be asked: {exc}.") from exc
        name = task.name or (stored.name if stored else None)
        worker = task.worker or (stored.worker if stored else None)
        if not (name and self._calling.has_task(name)) and worker not in self._inspector.get_confs():
            raise Unusable(
                "Its result is not good enough: the app does not know the task, and its worker has not told what"
                " kinds of messages it takes, so nobody knows whether the result keeps all that its message held."
            )
        # in a thread, since Celery makes a backend for each
        return await asyncio.to_thread(lambda: from_result(stored, task, self._app.backend, self.accepted))

    def _judge(self, task: Task, source: Source | None, received: Received | None, why: str) -> Plan:
        name = received.name if received and received.name else task.name
        destination = find_destination(self._app, self._inspector, self._reader, task, received)
        serializer = None
        if received is not None:
            serializer = self._choose_serializer(received.args, received.kwargs, received.serializer)
            why = "" if serializer else "No serializer that workers take keeps its arguments as they are."
            if name is None:
                why = "The name of the task is not known."
            elif destination is None and not why:
                why = "Its queue is not known: choose one."
        return Plan(
            source=source,
            received=received,
            reason=why,
            name=name,
            destination=destination,
            serializer=serializer,
            cautions=list(_cautions(task, received, destination)),
        )

    def _choose_serializer(self, args: list[Any], kwargs: dict[str, Any], first: str | None) -> str | None:
        wanted = [name for name in (first, str(self._app.conf.task_serializer)) if name]
        return fidelity.choose_serializer([args, kwargs], wanted, self.accepted)

    async def send(
        self, plan: Plan, task: Task, task_id: str, *, queue: str, edited: TaskCall | None
    ) -> None:
        """Publish what was planned under a new id, with other arguments where they were edited.

        Raises:
            CallError, BackendUnavailable: As `Calling.resend`.
        """
        assert plan.name is not None
        received = plan.received
        options = dict(received.options) if received else {}
        if edited is None:
            assert received is not None
            call, serializer = TaskCall(received.args, received.kwargs, {}), plan.serializer
            # what the sender printed in their place may hide what nobody should see
            options = {**_prints(task), **options}
        else:
            call = edited
            serializer = await asyncio.to_thread(self.serializer_of, edited)
            options = {key: value for key, value in options.items() if key not in ("argsrepr", "kwargsrepr")}
        options["headers"] = {**options.get("headers", {}), HEADER: task.uuid}
        options |= {
            "task_id": task_id,
            "serializer": serializer,
            "parent_id": task.uuid,
            "root_id": task.root_id or task.uuid,
            "add_to_parent": False,
        }
        await self._calling.resend(plan.name, call, options, queue)

    def serializer_of(self, call: TaskCall) -> str | None:
        """One that keeps these arguments; None where workers take none that does."""
        return self._choose_serializer(call.args, call.kwargs, None)


def _refused(task: Task, reason: str) -> Plan:
    return Plan(
        source=None, received=None, reason=reason, name=task.name, destination=None, serializer=None, cautions=[]
    )  # fmt: skip


def _not_found(search: Search) -> str:
    if search.complete:
        return "Its message is in no known queue any more, and no worker holds it."
    return f"Its message is not among the first {search.looked_at:,} at the broker."


def _prints(task: Task) -> dict[str, str]:
    """The printed forms that events told, for the new message to carry."""
    prints = {"argsrepr": task.args, "kwargsrepr": task.kwargs}
    return {key: text for key, text in prints.items() if text is not None}


def _cautions(task: Task, received: Received | None, destination: Destination | None) -> Iterable[str]:
    if task.state == UNKNOWN:
        yield "Nobody knows whether it ended: it may still run."
    if received is None:
        return
    yield from received.cautions
    if received.is_from_result and _differ(task.args, received.args):
        yield (
            "The arguments differ from what the sender printed: either the sender prints something else on purpose,"
            " or the task changes its arguments while it runs, and the result kept them changed."
        )
    if destination is not None and destination.known_from == "routes":
        yield "From which queue it came is not known: it goes where the app sends tasks of this name."


def _differ(printed: str | None, args: list[Any]) -> bool:
    """Whether a whole print tells other values, brackets aside: JSON makes lists of tuples."""
    if printed is None or "..." in printed or "[redacted]" in printed:
        return False
    return _bare(saferepr(tuple(args), len(printed) + 1_000)) != _bare(printed)


def _bare(text: str) -> str:
    return "".join(letter for letter in text if letter not in "()[], ")
