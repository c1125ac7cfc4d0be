"""Finds workers that are alive and registered as consumers, while their queue waits and they start nothing.

Asked with each reading of the queues by `control.sampler`; only while something waits is anything else looked at.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from umbel.control.consumers import consumed as queues_of
from umbel.control.inspect import Answers
from umbel.control.queues import Board, QueueState
from umbel.control.roster import is_alive
from umbel.model.worker import Worker, WorkerStatus
from umbel.store.base import HistoryReader

#: Seconds between two readings beyond which nothing can be said of the time between them.
LONGEST_PAUSE = 100.0


class Stall(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that takes no tasks though it could."""

    worker: str
    queue: str
    #: Epoch seconds UTC: nothing was started since, and the queue was never seen empty.
    since: float
    #: One sentence.
    evidence: str


class _Quiet(msgspec.Struct):
    """A worker that could take tasks, and since when it did not."""

    #: What changes when it starts one.
    sign: tuple[int, int | None, int]
    since: float


class StallWatch:
    """What was seen of waiting queues and their consumers. `note` is called by one thread, `get` by any."""

    def __init__(self, reader: HistoryReader, get_answers: Callable[[], Answers], *, after: float) -> None:
        """`get_answers` are those of the workers to inspections; a stall is told after so many seconds."""
        self._reader = reader
        self._get_answers = get_answers
        self._after = after
        #: Queue -> since when every reading shows messages in it.
        self._waiting: dict[str, float] = {}
        self._quiet: dict[str, _Quiet] = {}
        self._noted = 0.0
        self._stalls: tuple[Stall, ...] = ()

    def get(self) -> tuple[Stall, ...]:
        """The workers that are stalled as of the last reading, by name."""
        return self._stalls

    def forget(self) -> None:
        """Begin anew: nothing is read any more."""
        self._waiting, self._quiet, self._stalls = {}, {}, ()

    def note(self, board: Board) -> bool:
        """Judge by this reading; return whether some worker has to be watched closely. Raises StoreError."""
        if board.time - self._noted > LONGEST_PAUSE or board.time < self._noted:
            self.forget()
        self._noted = board.time
        self._waiting = {
            name: self._waiting.get(name, board.time)
            for name, state in board.queues.items()
            # what is not known now may still wait
            if (name in self._waiting if (ready := _ready(state)) is None else ready)
        }
        if not self._waiting:
            self._quiet, self._stalls = {}, ()
            return False
        answers = self._get_answers()
        consumed = {
            worker.hostname: (worker, queues)
            for worker in self._reader.fetch_workers(answers.keys())
            if is_alive(worker) and (queues := self._waiting.keys() & queues_of(answers[worker.hostname]))
        }
        self._note_starts([worker for worker, _ in consumed.values()], board.time)
        late = [name for name, quiet in self._quiet.items() if board.time - quiet.since >= self._after]
        self._stalls = tuple(self._judge({name: consumed[name] for name in late}, board, answers))
        return bool(self._quiet)

    def _note_starts(self, workers: Iterable[Worker], now: float) -> None:
        known, self._quiet = self._quiet, {}
        names = [worker.hostname for worker in workers]
        totals = self._reader.fetch_event_totals(names)
        for worker in workers:
            started = totals.get(worker.hostname, {}).get("task-started", 0)
            if worker.processed is None and not started:
                continue  # neither heartbeats nor events would tell
            sign = worker.pid, worker.processed, started
            before = known.get(worker.hostname)
            self._quiet[worker.hostname] = (
                before if before is not None and before.sign == sign else _Quiet(sign, now)
            )

    def _judge(
        self, late: Mapping[str, tuple[Worker, set[str]]], board: Board, answers: Answers
    ) -> Iterable[Stall]:
        if not late:
            return
        running = self._reader.fetch_running_totals()
        prefetched = self._reader.fetch_prefetched()
        for name, (worker, queues) in sorted(late.items()):
            queue = min(queues, key=lambda queue: (self._waiting[queue], queue))
            since = max(self._quiet[name].since, self._waiting[queue])
            if board.time - since < self._after:
                continue
            told = answers[name]
            size, busy = pool_size(told), _running(worker, running.get(name, 0))
            if busy >= size or _is_held_back(told, [task for host, task in prefetched if host == name]):
                continue
            state = board.queues[queue]
            yield Stall(
                worker=name,
                queue=queue,
                since=since,
                evidence=_evidence(state, busy=busy, size=size, seconds=board.time - since),
            )


def pool_size(answers: Mapping[str, Any]) -> int:
    """How many tasks the worker can run at once, by its own word; 1 where it did not say."""
    stats = answers.get("stats")
    pool = stats.get("pool") if isinstance(stats, dict) else None
    size = pool.get("max-concurrency") if isinstance(pool, dict) else None
    return size if isinstance(size, int) and size > 0 else 1


def _running(worker: Worker, stored: int) -> int:
    """Tasks that run there. While heartbeats come their word counts; else a started task may still run."""
    active = worker.active or 0
    return (
        active if worker.status is WorkerStatus.ONLINE and worker.active is not None else max(active, stored)
    )


def _is_held_back(answers: Mapping[str, Any], received: Iterable[str]) -> bool:
    """It holds tasks that wait on purpose: for their rate limit."""
    limited = {
        str(name).partition(" [")[0] for name in answers.get("registered", ()) if "rate_limit=" in str(name)
    }
    return any(task in limited for task in received)


def _ready(state: QueueState) -> int | None:
    """Messages that a consumer could have now; None while that is not known."""
    figures = state.figures
    return figures.messages if figures.ready is None else figures.ready


def _evidence(state: QueueState, *, busy: int, size: int, seconds: float) -> str:
    waiting = _ready(state) or 0
    consumers = state.figures.consumers
    counted = "" if consumers is None else f" (which has {consumers} in all)"
    return (
        f"{waiting:,} {'message waits' if waiting == 1 else 'messages wait'} in {state.figures.name!r}, "
        f"of which it says to be a consumer{counted}; it runs {busy} of {size} tasks that it could, "
        f"and started none for {seconds:.0f} s."
    )
