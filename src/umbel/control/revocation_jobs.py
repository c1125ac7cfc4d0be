"""Bulk revocations: pinned by a preview, started with its count, run one at a time, stopped, and kept.

What is previewed is what is revoked, never more: a job tells workers the ids of its preview and no others. Each job is
one row in the audit; what came of each task is kept with the job. Called by `web.revocation_jobs`.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence

import msgspec
from anyio.to_thread import run_sync

from umbel.control.commander import Commander
from umbel.control.commands import Outcome
from umbel.control.revocation import (
    INTERRUPTED,
    MOST_REMEMBERED,
    MOST_TASKS,
    REMEMBERED_FOR,
    outcome_word,
    sum_up,
)
from umbel.control.revocation_run import RevocationRun
from umbel.errors import StoreError
from umbel.model.task import FINAL_STATES
from umbel.store.audit import UNKNOWN, Asker, AuditLog
from umbel.store.base import HistoryReader, TaskQuery
from umbel.store.revocation_jobs import Job, JobStore, Pinned

logger = logging.getLogger(__name__)

#: Seconds for which a preview can be started.
PREVIEW_LASTS = 900.0
#: Seconds for which later events may change a job's outcomes, and between two looks at them, first and last.
WATCH_TIME, WATCH_EVERY, WATCH_SLOWLY = 900.0, 5.0, 30.0
#: Ended tasks of one state are counted so far.
MOST_COUNTED = 100_000
_PAGE, MOST_PAGES = 10_000, 10
_BATCH = 1_000


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a job would revoke."""

    items: list[Pinned]
    #: State -> tasks that have ended, and are out.
    left_out: dict[str, int]
    #: There are more than a job can take; `items` are not all.
    is_too_many: bool = False


class RevocationJobs:
    """Methods run on the event loop unless they say otherwise."""

    def __init__(
        self, store: JobStore, audit: AuditLog, reader: HistoryReader, commander: Commander,
        now: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._store = store
        self._audit = audit
        self._reader = reader
        self._commander = commander
        self._now = now
        self._run: RevocationRun | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Say of jobs that an earlier server left in the middle what they had done. Blocking."""
        self._interrupt()

    def stop(self) -> None:
        """The same of a job that was under way here. Blocking, after the event loop has ended."""
        if self._run is not None:
            self._interrupt()

    def healthy(self) -> bool:
        """It has no thread that could end."""
        return True

    def _interrupt(self) -> None:
        try:
            self._interrupt_all()
        except StoreError as exc:
            logger.warning("Bulk revocations that were under way can't be ended: %s", exc)

    def _interrupt_all(self) -> None:
        ended = self._store.interrupt(INTERRUPTED)
        for number in ended:
            logger.warning("Bulk revocation %d was interrupted: its page says how far it had come.", number)
            job = self._store.fetch(number)
            if job is not None and job.command is not None:
                answers = {"detail": f"the server ended in the middle of it: {sum_up(job.outcomes)}"}
                self._audit.complete(job.command, outcome=UNKNOWN, answers=answers)

    @property
    def running(self) -> int | None:
        """The id of the job that runs here now."""
        return None if self._run is None else self._run.job.id

    def find(self, query: TaskQuery) -> Preview:
        """The tasks of a filter that have not ended. Blocking; raises StoreError."""
        asked = {state.upper() for state in query.states}
        known = {state for state in self._reader.fetch_state_totals() if not asked or state.upper() in asked}
        found: dict[str, Pinned] = {}
        for state in _in_life_order(known - FINAL_STATES | known & {"REJECTED"}):
            self._find_in(msgspec.structs.replace(query, states=(state,)), found)
        requeued = sum(1 for task in found.values() if task.state == "REJECTED")
        left_out = {}
        for state in sorted(known & FINAL_STATES):
            ended = msgspec.structs.replace(query, states=(state,))
            left_out[state] = self._reader.count_tasks(ended, limit=MOST_COUNTED).value
        left_out["REJECTED"] = left_out.get("REJECTED", 0) - requeued
        return _preview(list(found.values()), left_out)

    def _find_in(self, query: TaskQuery, found: dict[str, Pinned]) -> None:
        """Add those of one state. In the order of their ids, which no event changes while pages are turned."""
        wanted = msgspec.structs.replace(query, sort="uuid", descending=False)
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            page = self._reader.fetch_tasks(wanted, limit=_PAGE, cursor=cursor)
            for task in page.tasks:
                if not task.finished:
                    found.setdefault(task.uuid, Pinned(task.uuid, task.name, task.state, task.started))
            cursor = page.next
            if cursor is None or len(found) > MOST_TASKS:
                break

    def find_ids(self, uuids: Sequence[str]) -> Preview:
        """Of these tasks those that have not ended; unknown ones are told too. Blocking; raises StoreError."""
        items: list[Pinned] = []
        left_out: dict[str, int] = {}
        wanted = list(dict.fromkeys(uuids))
        for start in range(0, len(wanted), _BATCH):
            part = wanted[start : start + _BATCH]
            standings = self._reader.fetch_standings(part)
            for uuid in part:
                one = standings.get(uuid)
                if one is None:
                    items.append(Pinned(uuid, None, None, None))
                elif one.finished:
                    left_out[one.state] = left_out.get(one.state, 0) + 1
                else:
                    items.append(Pinned(uuid, one.name, one.state, one.started))
        return _preview(items, left_out)

    def why_not_start(self, job: Job) -> str:
        """Why a job can't be started now, as a sentence; "" where it can. Blocking; raises StoreError."""
        if job.state != "preview":
            return f"It was started already, and is {job.state}."
        if job.created < self._now() - PREVIEW_LASTS:
            return f"Its preview is older than {PREVIEW_LASTS / 60:.0f} minutes: make a new one."
        if job.total == 0:
            return "There is no task to revoke in it."
        if self._run is not None:
            return f"Job {self._run.job.id} runs; only one does at a time."
        recent = self._store.fetch_recent(self._now() - REMEMBERED_FOR)
        if recent + job.total > MOST_REMEMBERED:
            return (
                f"Workers remember {MOST_REMEMBERED:,} revoked tasks, and were told of {recent:,} in the last "
                f"{REMEMBERED_FOR / 3600:.0f} hours: they would forget some of these."
            )
        return ""

    async def begin(self, job: Job, asker: Asker, *, terminate: bool, signal: str) -> bool:
        """Write it down and start it; False where somebody else was quicker. Raises StoreError."""
        parameters = {"tasks": job.total, **job.asked, "terminate": terminate}
        if terminate:
            parameters["signal"] = signal
        number = await self._commander.record("revoke_many", str(job.id), parameters, asker)
        begun = msgspec.structs.replace(job, terminate=terminate, signal=signal, command=number)
        run = RevocationRun(begun, self._store, self._reader, self._commander, self._now)
        # taken before anything is awaited: of two that start at once one is refused
        if self._run is None:
            self._run = run
            begin = self._store.begin
            if not await run_sync(lambda: begin(job.id, command=number, terminate=terminate, signal=signal)):
                self._run = None
        if self._run is not run:
            outcome = Outcome(state="refused", detail="not sent: it was started already, or another job runs")
            await self._commander.complete(number, outcome)
            return False
        task = asyncio.ensure_future(self._work(run, number))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def halt(self, number: int) -> bool:
        """Send no more; what was sent is judged. False where this server does not run it."""
        if self._run is None or self._run.job.id != number:
            return False
        self._run.is_stopping = True
        return True

    def is_stopping(self, number: int) -> bool:
        """It was told to stop, and has not yet."""
        return self._run is not None and self._run.job.id == number and self._run.is_stopping

    async def _work(self, run: RevocationRun, command: int) -> None:
        try:
            await run.run()
        except Exception as exc:  # whatever it is, no job may stay as running for ever
            if isinstance(exc, StoreError):
                logger.error("Bulk revocation %d could not go on: %s", run.job.id, exc)
            else:
                logger.exception("Bulk revocation %d broke", run.job.id)
            self._run = None
            await run_sync(self._interrupt)
            return
        self._run = None
        await self._complete(run.job.id, command)
        until, pause = time.monotonic() + WATCH_TIME, WATCH_EVERY
        while time.monotonic() < until and not run.is_final:
            await asyncio.sleep(pause)
            pause = min(WATCH_SLOWLY, pause * 1.2)
            try:
                if await run.rejudge():
                    await self._complete(run.job.id, command)
            except StoreError as exc:
                logger.warning("Bulk revocation %d can't be looked at again now: %s", run.job.id, exc)

    async def _complete(self, number: int, command: int) -> None:
        """What came of it, into the audit."""
        job = await run_sync(self._store.fetch, number)
        if job is not None:
            await self._commander.complete(
                command,
                Outcome(state=outcome_word(job.outcomes), silent=job.silent, detail=sum_up(job.outcomes)),
            )


def _preview(items: list[Pinned], left_out: dict[str, int]) -> Preview:
    return Preview(
        items=items,
        left_out={state: count for state, count in left_out.items() if count > 0},
        is_too_many=len(items) > MOST_TASKS,
    )


def _in_life_order(states: Collection[str]) -> list[str]:
    """A task moves on while one state after the other is read: in this order it is found in one of them. RETRY is read
    twice, for from there a task goes on from the beginning."""
    begin = [state for state in ("RETRY", "PENDING", "RECEIVED", "STARTED") if state in states]
    rest = sorted(set(states) - set(begin))
    return [*begin, *rest, *(["RETRY"] if "RETRY" in states else [])]
