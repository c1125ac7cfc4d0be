"""Finds workers that are alive and registered as consumers, while their queue waits and they start nothing.

Asked with each reading of the queues by `control.sampler`; only while something waits is anything else looked at.

What a reading shows may have begun right after the one before, and is told some seconds late. So a stall is called when
it may have lasted for the time that is set, not when it must have: then it is called in time.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import msgspec

from umbel.control.consumers import consumed as queues_of
from umbel.control.inspect import Answers
from umbel.control.queues import Board, QueueState
from umbel.control.roster import is_alive
from umbel.model.stall import Stall
from umbel.model.worker import Worker, WorkerStatus
from umbel.store.base import HistoryReader

#: Seconds between two readings beyond which nothing can be said of the time between them.
LONGEST_PAUSE = 100.0
#: Seconds that figures may be old: RabbitMQ gathers them for its management API every 5 s, heartbeats come every 2 s.
LATE = 8.0
#: Of the time that is set: what at least must have been watched, and what may pass between two readings.
LEAST_WATCHED, LONGEST_STEP = 0.5, 0.25
#: Seconds before its time at which a stall is called: a reading takes a moment, too.
LEAD = 1.0
#: Seconds between two looks at who consumes what, while nothing waits.
REMEMBER_EVERY = 10.0
#: Suspects that are asked anew for what they are, at once.
_MOST_ASKED = 100


class _Span(msgspec.Struct, frozen=True):
    """Something that lasts, in epoch seconds UTC."""

    #: It was first seen then.
    seen: float
    #: It may have begun then.
    begun: float


class _Quiet(msgspec.Struct, frozen=True):
    """A worker that could take tasks, and since when it did not."""

    #: What changes when it starts one.
    sign: tuple[int, int | None, int]
    span: _Span


class StallWatch:
    """What was seen of waiting queues and their consumers. `note` is called by one thread, `get` by any."""

    def __init__(
        self,
        reader: HistoryReader,
        get_answers: Callable[[], Answers],
        *,
        after: float,
        ask: Callable[[Collection[str]], object] = lambda _: None,
    ) -> None:
        """`get_answers` are those of the workers to inspections; a stall is told within `after` seconds. `ask` has
        suspects asked anew, and does not wait."""
        self._reader = reader
        self._get_answers = get_answers
        self._after = after
        self._ask = ask
        #: Queue -> since when every reading shows messages in it.
        self._waiting: dict[str, _Span] = {}
        self._quiet: dict[str, _Quiet] = {}
        #: Worker -> its process id, and the queues from which it ever said to consume.
        self._queues: dict[str, tuple[object, set[str]]] = {}
        self._remembered = 0.0
        #: Suspects that were asked since they are quiet.
        self._asked: set[str] = set()
        #: Times of the last reading, and of the last look at the workers.
        self._read = self._looked = 0.0
        self._stalls: tuple[Stall, ...] = ()

    @property
    def longest_step(self) -> float:
        """Seconds that may pass between two readings, so that a stall is told in time."""
        return max(1.0, self._after * LONGEST_STEP)

    @property
    def suspects(self) -> bool:
        """Some worker has to be watched closely."""
        return bool(self._quiet)

    def get(self) -> tuple[Stall, ...]:
        """The workers that are stalled as of the last reading, by name."""
        return self._stalls

    def forget(self) -> None:
        """Begin anew: nothing is read any more."""
        self._waiting, self._quiet, self._stalls = {}, {}, ()
        self._asked.clear()
        self._read = self._looked = self._remembered = 0.0

    def note(self, board: Board, now: float) -> float | None:
        """Judge by this reading, which may be an old one, at the time `now`. Return when to judge next, so that the
        first suspect is told in time; None where there is none. Raises StoreError."""
        if now - self._looked > LONGEST_PAUSE or board.time < self._read or now < self._looked:
            self.forget()
        last_read, self._read = self._read, board.time
        last_look, self._looked = self._looked, now
        self._waiting = {
            name: self._waiting.get(name) or self._span(board.time, last_read)
            for name, state in board.queues.items()
            # what is not known now may still wait
            if (name in self._waiting if (ready := _ready(state)) is None else ready)
        }
        if not self._waiting:
            self._quiet, self._stalls = {}, ()
            self._asked.clear()
            if now - self._remembered >= REMEMBER_EVERY:
                self._remember(self._get_answers(), now)
            return None
        answers = self._get_answers()
        self._remember(answers, now)
        consumed = self._consumed(board, answers)
        self._note_starts([worker for worker, _ in consumed.values()], now, last_look)
        suspects = {name: consumed[name] for name in self._quiet}
        self._ask_anew(suspects, now)
        self._stalls = tuple(self._judge(suspects, board, answers, now))
        due = [time for name, (_, queues) in suspects.items() if (time := self._due(name, queues)) > now]
        return min(due, default=None)

    def _remember(self, answers: Answers, now: float) -> None:
        known, self._queues, self._remembered = self._queues, {}, now
        for hostname, told in answers.items():
            pid = _pid(told)
            before = known.get(hostname)
            earlier = before[1] if before is not None and before[0] == pid else set()
            self._queues[hostname] = pid, earlier | queues_of(told)

    def _consumed(self, board: Board, answers: Answers) -> dict[str, tuple[Worker, set[str]]]:
        """The living workers that consume from queues that wait; or did, where nobody does any more."""
        alive = [worker for worker in self._reader.fetch_workers(answers.keys()) if is_alive(worker)]
        told = {worker.hostname: queues_of(answers[worker.hostname]) for worker in alive}
        taken = set().union(*told.values())
        left = {
            queue
            for queue in self._waiting.keys() - taken
            # somebody else may, whom no worker knows
            if not board.queues[queue].figures.consumers
        }
        if left and not self._all_told(answers):
            left = set()
        return {
            worker.hostname: (worker, queues)
            for worker in alive
            if (
                queues := self._waiting.keys() & told[worker.hostname]
                | left & self._queues[worker.hostname][1]
            )
        }

    def _all_told(self, answers: Answers) -> bool:
        return all(
            "active_queues" in answers.get(worker.hostname, {})
            for worker in self._reader.fetch_workers()
            if is_alive(worker)
        )

    def _span(self, seen: float, last: float) -> _Span:
        """Of what is seen for the first time, and was not at the time `last`; 0 where nobody looked."""
        earliest = seen - self._after * (1.0 - LEAST_WATCHED)
        return _Span(seen, max(last - LATE, earliest) if last else seen)

    def _lead(self) -> float:
        return min(LEAD, self._after / 10)

    def _due(self, name: str, queues: Collection[str]) -> float:
        """When this worker is to be called stalled, if nothing changes."""
        begun = max(self._quiet[name].span.begun, min(self._waiting[queue].begun for queue in queues))
        return begun + self._after - self._lead()

    def _note_starts(self, workers: Iterable[Worker], now: float, last: float) -> None:
        known, self._quiet = self._quiet, {}
        names = [worker.hostname for worker in workers]
        totals = self._reader.fetch_event_totals(names)
        for worker in workers:
            started = totals.get(worker.hostname, {}).get("task-started", 0)
            if not started and not self._is_counting(worker):
                continue  # neither heartbeats nor events would tell
            sign = worker.pid, worker.processed, started
            before = known.get(worker.hostname)
            self._quiet[worker.hostname] = (
                before if before is not None and before.sign == sign else _Quiet(sign, self._span(now, last))
            )

    def _is_counting(self, worker: Worker) -> bool:
        """Its heartbeats tell how many tasks it has started, and come often enough."""
        return worker.processed is not None and (worker.freq or 0.0) <= self.longest_step

    def _ask_anew(self, suspects: Mapping[str, tuple[Worker, Collection[str]]], now: float) -> None:
        """Before a worker is called stalled, it is asked once whether it still is what it said."""
        late = {
            name
            for name, (_, queues) in suspects.items()
            if self._due(name, queues) - now <= self._after * (1.0 - LEAST_WATCHED)
        }
        news = sorted(late - self._asked)[:_MOST_ASKED]
        self._asked = (self._asked & late) | set(news)
        if news:
            self._ask(news)

    def _judge(
        self, suspects: Mapping[str, tuple[Worker, set[str]]], board: Board, answers: Answers, now: float
    ) -> Iterable[Stall]:
        late = {
            name: (worker, queues)
            for name, (worker, queues) in suspects.items()
            if self._due(name, queues) <= now
        }
        if not late:
            return
        running = self._reader.fetch_running_totals()
        prefetched = self._reader.fetch_prefetched()
        for name, (worker, queues) in sorted(late.items()):
            queue = min(queues, key=lambda queue: (self._waiting[queue].begun, queue))
            told = answers[name]
            size, busy = pool_size(told), _running(worker, running.get(name, 0))
            if busy >= size or _is_held_back(told, [task for host, task in prefetched if host == name]):
                continue
            since = max(self._quiet[name].span.seen, self._waiting[queue].seen)
            yield Stall(
                worker=name,
                queue=queue,
                since=since,
                evidence=_evidence(
                    board.queues[queue],
                    busy=busy,
                    size=size,
                    seconds=now - since,
                    is_consumer=queue in queues_of(told),
                ),
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


def _pid(answers: Mapping[str, Any]) -> object:
    stats = answers.get("stats")
    return stats.get("pid") if isinstance(stats, dict) else None


def _evidence(state: QueueState, *, busy: int, size: int, seconds: float, is_consumer: bool) -> str:
    waiting = _ready(state) or 0
    consumers = state.figures.consumers
    counted = "" if consumers is None else f" (which has {consumers} in all)"
    return (
        f"{waiting:,} {'message waits' if waiting == 1 else 'messages wait'} in {state.figures.name!r}, of which it "
        + (f"says to be a consumer{counted}; " if is_consumer else "was a consumer, and nobody is any more; ")
        + f"it runs {busy} of {size} tasks that it could, and started none for at least {seconds:.0f} s."
    )
