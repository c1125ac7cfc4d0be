"""One bulk revocation, from its first message to the last task's outcome. Made by `control.revocation_jobs`.

Workers are told in batches, one at a time, with a pause between. Whoever did not confirm a batch, or came since, is
told once more at the end. Then the events up to the last confirmation are waited for, and each task is judged by them.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TypeVar

from anyio.to_thread import run_sync

from umbel.control.commander import Commander
from umbel.control.commands import revoke_many
from umbel.control.revocation import Answer, Fate, is_blind, is_out_of_reach, judge, missed_until
from umbel.errors import InspectError, StoreError
from umbel.model.task import Standing
from umbel.store.base import HistoryReader
from umbel.store.revocation_jobs import Change, Job, JobItem, JobStore

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

#: Tasks in one message, and seconds between two: no more than 2,000 tasks a second.
BATCH = 500
PAUSE = 0.25
#: Seconds for a worker's answer at least: one that is busy with many messages answers late.
PATIENCE = 5.0
#: Seconds by which events must be complete beyond the last confirmation: a task that a process was being given then is
#: told a moment later.
MARGIN = 1.0
#: Seconds for the events of started tasks, and for the ends of those that got a signal.
SETTLE_TIME = 30.0
END_TIME = 10.0
LOOK_EVERY = 0.5

BEHIND = "all workers confirmed, but events are behind: it is not known whether it had started"
NOBODY_THERE = "no worker was online to be told"


class Batch:
    """Some tasks, and what each worker said to them."""

    def __init__(self, items: Sequence[JobItem]) -> None:
        self.items = items
        self.expected: set[str] = set()
        self.confirmed: set[str] = set()
        #: Epoch seconds UTC of the last confirmation that was waited for.
        self.told_at = 0.0
        #: Why the broker did not take it.
        self.error = ""

    def lacking(self, present: Collection[str], stopped: Collection[str]) -> frozenset[str]:
        """Workers that may start its tasks for all that is known."""
        return frozenset((self.expected | set(present)) - self.confirmed - set(stopped))


class RevocationRun:
    """Runs on the event loop; `run` is called once."""

    def __init__(
        self, job: Job, store: JobStore, reader: HistoryReader, commander: Commander,
        now: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self.job = job
        #: Set to end it after the batch that is under way.
        self.is_stopping = False
        self._store = store
        self._reader = reader
        self._commander = commander
        self._now = now
        self._batches: list[Batch] = []
        self._answers: dict[int, Answer] = {}
        self._blind: frozenset[str] = frozenset()
        self._missed = 0.0
        #: Task id -> the worker that said, after all had been told, that it runs it.
        self._running: dict[str, str] = {}
        #: Workers that did not answer: they are not waited for again and again.
        self._deaf: set[str] = set()
        #: Item -> its latest outcome; id -> how the task stood then.
        self._outcomes: dict[int, Change] = {}
        self._standings: dict[str, Standing] = {}

    @property
    def _patience(self) -> float:
        """Seconds for answers."""
        return max(PATIENCE, self._commander.timeout)

    async def run(self) -> None:
        """Tell, settle, judge, and end with every task judged. Raises StoreError when that can't be written down."""
        items = await self._do(lambda: self._store.fetch_items(self.job.id))
        error = await self._tell_all([Batch(items[i : i + BATCH]) for i in range(0, len(items), BATCH)])
        await self._tell_again()
        is_settled = await self._settle()
        stopped, lost = await self._commander.find_absent()
        # what is missed later is no matter: no worker starts any of them then
        self._missed = missed_until(await self._do(self._reader.fetch_gaps))
        await self._weigh(stopped, is_settled)
        told = set[str]().union(*(batch.confirmed for batch in self._batches))
        if told:
            self._running = await self._commander.fetch_running(told, timeout=self._patience)
        await self._judge_until(self._is_decided, SETTLE_TIME)
        if self.job.terminate:
            await self._terminate()
        unsent = [item for item in items if item.n not in self._answers]
        await self._keep([Change(item.n, Fate.NOT_SENT, error) for item in unsent])
        silent = sorted(set().union(*(batch.lacking((), stopped) for batch in self._batches)))
        state = "failed" if error else "stopped" if unsent else "done"
        detail = f"Nothing was heard of {', '.join(sorted(lost))}: not asked." if lost - set(silent) else ""
        await self._do(lambda: self._store.end(self.job.id, state, silent=silent, detail=error or detail))

    async def rejudge(self) -> bool:
        """Judge anew by later events; whether any outcome is another now."""
        return await self._judge()

    @property
    def is_final(self) -> bool:
        """All tasks that were sent have ended: no event can say otherwise."""
        sent = sum(len(batch.items) for batch in self._batches)
        return sum(standing.finished for standing in self._standings.values()) == sent

    async def _tell_all(self, batches: Iterable[Batch]) -> str:
        """Why it ended before the last batch; "" where it did not, or was told to."""
        for batch in batches:
            if self.is_stopping:
                return ""
            await self._do(
                lambda batch=batch: self._store.change(  # type: ignore[misc]
                    self.job.id, [Change(item.n, Fate.SENT) for item in batch.items]
                )
            )
            self._batches.append(batch)
            await self._tell(batch, await self._commander.find_present())
            if batch.error:
                return batch.error
            await asyncio.sleep(PAUSE)
        return ""

    async def _tell(self, batch: Batch, hostnames: Collection[str], *, only: bool = False) -> None:
        """Broadcast a batch to all, or to these only, and note who of these confirmed it."""
        batch.expected |= set(hostnames)
        command = revoke_many([item.uuid for item in batch.items], workers=hostnames if only else None)
        heard = frozenset(hostnames) - self._deaf
        try:
            outcome = await self._commander.broadcast(
                command, heard, timeout=self._patience if heard else 0.1
            )
        except InspectError as exc:
            batch.error = f"the broker did not take it: {exc}"
            return
        batch.confirmed |= outcome.confirmed.keys()
        batch.told_at = self._now()
        self._deaf |= set(outcome.silent)
        self._deaf -= outcome.confirmed.keys()

    async def _tell_again(self) -> None:
        """Who was silent, and who came since, hears it once more."""
        present = await self._commander.find_present()
        stopped, _ = await self._commander.find_absent()
        self._deaf.clear()
        for batch in self._batches:
            lacking = batch.lacking(present, stopped) - self._deaf
            if lacking and not batch.error:
                await self._tell(batch, lacking, only=True)

    async def _settle(self) -> bool:
        """Whether all events up to a moment after the last confirmation are stored."""
        wanted = max((batch.told_at for batch in self._batches), default=0.0) + MARGIN
        until = time.monotonic() + SETTLE_TIME
        while time.monotonic() < until:
            try:
                status = await run_sync(self._reader.fetch_status)
            except StoreError as exc:
                logger.warning("A bulk revocation waits for the history: %s", exc)
            else:
                if (
                    status is not None
                    and status.state == "connected"
                    and (status.proof_at or 0.0) >= wanted
                    and status.time - status.lag >= wanted
                ):
                    return True
            await asyncio.sleep(LOOK_EVERY)
        return False

    async def _weigh(self, stopped: Collection[str], is_settled: bool) -> None:
        """What can be said of each batch."""
        known = set().union(*(batch.expected for batch in self._batches))
        self._blind = frozenset(name for name in known if is_blind(self._commander.nature_of(name).pool))
        for batch in self._batches:
            lacking = sorted(batch.lacking((), stopped))
            if batch.error:
                why = batch.error
            elif lacking:
                why = f"not confirmed by {', '.join(lacking[:5])}" + (" and more" if lacking[5:] else "")
            elif not batch.confirmed:
                why = NOBODY_THERE
            else:
                why = "" if is_settled else BEHIND
            answer = Answer(is_confirmed=not why, why_not=why)
            self._answers.update((item.n, answer) for item in batch.items)

    async def _judge_until(self, is_done: Callable[[dict[str, Standing]], bool], seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            await self._judge()
            if time.monotonic() >= until or is_done(self._standings):
                return
            await asyncio.sleep(LOOK_EVERY)

    def _is_decided(self, standings: dict[str, Standing]) -> bool:
        """No worker holds one of them that it will start anyway."""
        return not any(is_out_of_reach(standing, self._blind) for standing in standings.values())

    async def _judge(self) -> bool:
        """Judge every task that was sent; keep what is another outcome than before."""
        sent = [item for batch in self._batches for item in batch.items]
        self._standings = await self._fetch_standings([item.uuid for item in sent])
        return await self._keep(await run_sync(self._judge_all, sent))

    def _judge_all(self, sent: Sequence[JobItem]) -> list[Change]:
        """In a thread: 20,000 tasks would hold up whoever else is answered."""
        return [
            judge(
                item,
                self._standings.get(item.uuid),
                self._answers[item.n],
                blind=self._blind,
                missed=self._missed,
                runs=item.uuid in self._running,
            )
            for item in sent
        ]

    async def _keep(self, changes: Iterable[Change]) -> bool:
        fresh = [change for change in changes if self._outcomes.get(change.n) != change]
        await self._do(lambda: self._store.change(self.job.id, fresh))
        self._outcomes.update((change.n, change) for change in fresh)
        return bool(fresh)

    async def _fetch_standings(self, uuids: Sequence[str]) -> dict[str, Standing]:
        found: dict[str, Standing] = {}
        for start in range(0, len(uuids), BATCH):
            part = uuids[start : start + BATCH]
            found.update(await self._do(lambda part=part: self._reader.fetch_standings(part)))  # type: ignore[misc]
        return found

    async def _terminate(self) -> None:
        """Send the signal to those that had started and still run, at the worker that runs them."""
        running: dict[str, list[JobItem]] = {}
        for batch in self._batches:
            for item in batch.items:
                standing = self._standings.get(item.uuid)
                runs = standing is not None and standing.state == "STARTED"
                worker = standing.worker if standing is not None and runs else self._running.get(item.uuid)
                if worker is not None and self._outcomes[item.n].outcome == Fate.STARTED:
                    running.setdefault(worker, []).append(item)
        for hostname, items in running.items():
            for start in range(0, len(items), BATCH):
                await self._signal(hostname, items[start : start + BATCH])
        uuids = {item.uuid for items in running.values() for item in items}
        await self._judge_until(
            lambda standings: not any(standings[u].state == "STARTED" for u in uuids if u in standings),
            END_TIME,
        )

    async def _signal(self, hostname: str, items: Sequence[JobItem]) -> None:
        why = self._commander.nature_of(hostname).why_not("terminate")
        why = f"{hostname} can't end it: {why}" if why else ""
        if not why:
            command = revoke_many(
                [item.uuid for item in items], workers=[hostname], terminate=True, signal=self.job.signal
            )
            try:
                outcome = await self._commander.broadcast(
                    command, frozenset({hostname}), timeout=self._patience
                )
            except InspectError as exc:
                why = f"the broker did not take the signal: {exc}"
            else:
                said = outcome.refused.get(hostname, "")
                why = f"{hostname} refused to end it: {said}" if said else ""
        for item in items:
            old = self._answers[item.n]
            self._answers[item.n] = Answer(
                is_confirmed=old.is_confirmed,
                why_not=old.why_not,
                was_signalled=not why,
                why_not_signalled=why,
            )

    async def _do(self, work: Callable[[], _T]) -> _T:
        """Blocking work in a thread; a disk in trouble is given some time."""
        for pause in (0.5, 2.0, 5.0):
            try:
                return await run_sync(work)
            except StoreError as exc:
                logger.warning("A bulk revocation waits for the disk: %s", exc)
                await asyncio.sleep(pause)
        return await run_sync(work)
