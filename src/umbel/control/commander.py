"""Sends commands: written into the audit first, then broadcast, then completed with who did it, who refused and who
said nothing. The one way in which the web side changes anything at workers.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any, TypeVar

import msgspec
from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from umbel.control.abilities import Nature, nature_of
from umbel.control.commands import Command, Outcome, outcome_of
from umbel.control.inspect import Inspector
from umbel.control.roster import is_alive, listed
from umbel.control.switchboard import Call, Switchboard, read_answer
from umbel.errors import InspectError, StoreError
from umbel.model.redact import MASK, Redactor
from umbel.model.worker import Worker, WorkerStatus
from umbel.store.audit import Asker, AuditLog

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

#: Seconds for the broker to take a command; its own limits are shorter, those of a name server may not be.
SEND_PATIENCE = 20.0
#: Seconds between two looks for the farewell of a worker that was told to shut down.
LOOK_EVERY = 0.2
#: Audit rows written at once: SQLite writes one after the other anyway.
WRITES_AT_ONCE = 4
#: Characters of one parameter's text in the audit.
LONGEST_PARAMETER = 2_000


class Dispatch(msgspec.Struct, frozen=True):
    """A command that the broker has taken."""

    #: Of its row in the audit.
    number: int
    time: float
    #: Done when all have answered or the time is up. Cancelling it does not cancel the command.
    outcome: "asyncio.Future[Outcome]"


class Commander:
    """Every method runs on the event loop."""

    def __init__(
        self,
        switchboard: Switchboard,
        audit: AuditLog,
        inspector: Inspector,
        fetch_workers: Callable[[], list[Worker]],
        *,
        timeout: float,
        grace: float,
        redactor: Redactor,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`timeout` is how long replies are waited for unless a call says otherwise, `grace` as in the lists, in
        seconds."""
        self._switchboard = switchboard
        self._audit = audit
        self._inspector = inspector
        self._fetch_workers = fetch_workers
        self._timeout = timeout
        self._grace = grace
        self._redactor = redactor
        self._now = now
        self._writes: CapacityLimiter | None = None
        self._under_way: set[asyncio.Future[Any]] = set()

    async def knows(self, hostname: str) -> bool:
        """Whether there is such a worker: inspected, or seen by its events and not gone for long."""
        if hostname in self._inspector.get_hostnames():
            return True
        return any(worker.hostname == hostname for worker in await self._workers())

    async def find_present(self) -> frozenset[str]:
        """The workers of which an answer to a broadcast can be expected."""
        workers = await self._workers()
        silent = {worker.hostname for worker in workers if not is_alive(worker)}
        alive = {worker.hostname for worker in workers} - silent
        return frozenset(alive | (self._inspector.get_hostnames() - silent))

    async def find_absent(self) -> tuple[frozenset[str], frozenset[str]]:
        """Of the workers that lists hold: those that said goodbye, and those of which nothing is heard any more."""
        workers = await self._workers()
        stopped = frozenset(worker.hostname for worker in workers if worker.status is WorkerStatus.STOPPED)
        return stopped, frozenset(w.hostname for w in workers if w.status is WorkerStatus.LOST)

    def nature_of(self, hostname: str) -> Nature:
        """What a worker told of itself, as far as it is known."""
        return nature_of(self._inspector.get_worker(hostname))

    async def why_not_shrink(self, hostname: str, n: int) -> str:
        """Why a pool can't become smaller by `n`, by what the worker says now; "" when it can, or says nothing."""
        call = self._switchboard.call("stats", None, [hostname], expected=[hostname], timeout=self._timeout)
        try:
            replies = await asyncio.wrap_future(call.replies)
        except InspectError:
            return ""
        return nature_of({"stats": replies.get(hostname)}).why_not_shrink(n)

    async def _workers(self) -> list[Worker]:
        """Those that lists hold; none while the history can't be read."""
        return listed(await self._all_workers(), self._now(), self._grace)

    async def _all_workers(self) -> list[Worker]:
        try:
            return await run_sync(self._fetch_workers)
        except StoreError as exc:
            logger.warning("Who is there is only known from inspection now: %s", exc)
            return []

    async def send(self, command: Command, asker: Asker, *, timeout: float | None = None) -> Dispatch:
        """Write the command down, broadcast it, and return when the broker has it.

        Raises:
            StoreError: It could not be written down, and was not sent.
            InspectError: The broker could not take it.
        """
        wait = self._timeout if timeout is None else timeout
        expected = frozenset(command.workers) if command.workers is not None else await self.find_present()
        number = await self.record(command.action, command.target, _parameters(command), asker)
        began = self._now()
        call = self._switchboard.call(
            command.method, command.arguments, command.workers, expected=expected,
            timeout=wait if command.is_answered else None,
        )  # fmt: skip
        try:
            await _until_sent(call)
        except InspectError as exc:
            await self.complete(number, Outcome(state="failed", detail=str(exc)))
            raise
        gathered = (
            self._gather(call, expected)
            if command.is_answered
            else self._see_farewells(expected, since=began, wait=wait)
        )
        # kept here: it goes on although nobody may be waiting for it
        outcome = asyncio.ensure_future(self._finish(number, command, gathered))
        self._under_way.add(outcome)
        outcome.add_done_callback(self._under_way.discard)
        return Dispatch(number, began, outcome)

    async def broadcast(self, command: Command, expected: frozenset[str], *, timeout: float) -> Outcome:
        """Send a part of what is written down already, and return what the workers of `expected` said to it.

        Raises:
            InspectError: The broker could not take it.
        """
        call = self._switchboard.call(
            command.method, command.arguments, command.workers, expected=expected, timeout=timeout
        )
        await _until_sent(call)
        return await self._gather(call, expected)

    async def fetch_running(self, hostnames: Collection[str], *, timeout: float) -> dict[str, str]:
        """Task id -> worker of what these workers say that they run now; nothing of those that are silent."""
        call = self._switchboard.call("active", None, hostnames, expected=hostnames, timeout=timeout)
        try:
            replies = await asyncio.wrap_future(call.replies)
        except InspectError:
            return {}
        return {
            str(task["id"]): hostname
            for hostname, running in replies.items()
            if isinstance(running, list)
            for task in running
            if isinstance(task, dict) and "id" in task
        }

    async def refuse(self, command: Command, why: str, asker: Asker) -> None:
        """Write down a command that was asked for and is not sent, because it is known that it can't be done."""
        number = await self.record(command.action, command.target, _parameters(command), asker)
        await self.complete(number, Outcome(state="refused", detail=f"not sent: {why}"))

    async def record(self, action: str, target: str, parameters: Mapping[str, Any], asker: Asker) -> int:
        """Write down what is about to be done; return the row's id. Raises StoreError."""
        clean = {name: self._clean(name, value) for name, value in parameters.items()}
        number = await self._write(
            lambda: self._audit.begin(asker, action=action, target=target, parameters=clean)
        )
        who = "somebody" if asker.name is None else repr(asker.name)
        logger.info(
            "Command %d: %s %r %s, asked for by %s at %s", number, action, target, clean, who, asker.address
        )
        return number

    async def complete(self, number: int, outcome: Outcome) -> None:
        """Write down what came of it; a file that refuses is a line in the log."""
        answers = msgspec.structs.asdict(outcome)
        state = answers.pop("state")
        try:
            await self._write(lambda: self._audit.complete(number, outcome=state, answers=answers))
        except StoreError as exc:
            logger.error("What came of command %s could not be written down (%s): %s", number, state, exc)

    @property
    def timeout(self) -> float:
        """Seconds that replies are waited for unless a call says otherwise."""
        return self._timeout

    async def _write(self, write: Callable[[], _T]) -> _T:
        if self._writes is None:
            self._writes = CapacityLimiter(WRITES_AT_ONCE)
        return await run_sync(write, limiter=self._writes)

    async def _finish(self, number: int, command: Command, gathered: Coroutine[Any, Any, Outcome]) -> Outcome:
        outcome = await gathered
        await self.complete(number, outcome)
        if command.workers is not None and command.is_answered:
            for hostname in outcome.confirmed:
                # what was known of it is no longer true
                self._inspector.request(hostname)
        return outcome

    async def _gather(self, call: Call, expected: frozenset[str]) -> Outcome:
        replies = await asyncio.wrap_future(call.replies)
        confirmed: dict[str, str] = {}
        refused: dict[str, str] = {}
        for hostname, reply in sorted(replies.items()):
            answer = read_answer(reply)
            (confirmed if answer.is_ok else refused)[hostname] = answer.text
        return outcome_of(confirmed, refused, expected - replies.keys())

    async def _see_farewells(self, expected: Collection[str], *, since: float, wait: float) -> Outcome:
        """Workers that stop say so in an event, after they have finished what they run."""
        until = time.monotonic() + wait
        silent = set(expected)
        while True:
            for worker in await self._all_workers():
                if worker.status is WorkerStatus.STOPPED and worker.heard >= since:
                    silent.discard(worker.hostname)
            if not silent or time.monotonic() >= until:
                break
            await asyncio.sleep(LOOK_EVERY)
        confirmed = dict.fromkeys(sorted(set(expected) - silent), "it said goodbye")
        if silent and not confirmed:
            return Outcome(state="requested", silent=sorted(silent))
        return outcome_of(confirmed, {}, silent)

    def _clean(self, name: str, value: Any) -> Any:
        """A parameter as it may be written down: short, without secrets."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            named = f"{name}={value!r}"
            text = value if self._redactor.redact_text(named) == named else MASK
        else:
            text = self._redactor.redact_text(repr(value))
        return text if len(text) <= LONGEST_PARAMETER else text[:LONGEST_PARAMETER] + "…"


async def _until_sent(call: Call) -> None:
    """Return when the broker has it; a command that it does not take in time is given up. Raises InspectError."""
    try:
        await asyncio.wait_for(asyncio.wrap_future(call.sent), SEND_PATIENCE)
    except TimeoutError as exc:
        error = InspectError(f"the broker did not take it within {SEND_PATIENCE:g} s")
        call.fail(error)
        raise error from exc


def _parameters(command: Command) -> dict[str, Any]:
    """The arguments but for the target, which has a column of its own, and whom they are for."""
    parameters = {name: value for name, value in command.arguments.items() if value != command.target}
    if command.workers is not None and command.workers != (command.target,):
        parameters["workers"] = ", ".join(command.workers)
    return parameters
