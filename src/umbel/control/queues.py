"""The queues as pages and the API show them: the broker's figures, joined with what workers, events and history know.

Every question runs in one of a few threads of its own, so that a broker that does not answer holds up nobody else;
readings are shared by all who ask and kept for a moment. Callers wait for the futures.
"""

import math
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal, TypeVar

import msgspec
from anyio.to_thread import run_sync
from celery import Celery

from umbel.brokers.base import (
    COLUMNS,
    BrokerInspector,
    Capabilities,
    Mark,
    Message,
    QueueFigures,
    Reading,
    Search,
    mark_of,
)
from umbel.brokers.names import fold_delayed
from umbel.control.consumers import Consumers
from umbel.control.inspect import Inspector
from umbel.control.queue_age import Age, FirstSeen, Rest, oldest_of
from umbel.control.queue_names import MOST_NAMES, Origin, QueueNames
from umbel.errors import BrokerError, BrokerUnavailable, StoreError
from umbel.model.redact import Redactor
from umbel.store.base import HistoryReader

_T = TypeVar("_T")

#: Seconds that a reading is good for at least, and at most; between them FRESH_SHARE times what it took.
FRESH, STALE, FRESH_SHARE = 2.0, 60.0, 5.0
#: Seconds for which somebody who looked counts as looking.
WATCHED = 15.0
#: Questions that run, and that may wait for their turn.
THREADS, MOST_WAITING = 4, 32
#: Characters of a message's arguments that are shown.
PREVIEW = 2_000


class QueueState(msgspec.Struct, frozen=True, kw_only=True):
    """One queue with all that is known of it."""

    figures: QueueFigures
    #: Column -> what is known of it.
    marks: dict[str, Mark]
    known_from: tuple[Origin, ...]
    #: What `figures.idle_since` rests on: the broker's word, or that no change was seen since.
    idle_basis: Literal["broker", "observed"] | None
    #: The message that waits longest, and how long; None where that is unknown, and where none waits.
    oldest: tuple[str, Age] | None


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """All queues at one moment."""

    queues: dict[str, QueueState]
    #: Why something is missing, each a sentence.
    problems: list[str]
    capabilities: Capabilities
    #: Epoch seconds UTC.
    time: float
    #: Seconds of CPU that the reading took.
    cost: float = 0.0


class SeenMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as shown: its texts redacted, with its age."""

    message: Message
    age: Age | None


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Some messages of a queue."""

    messages: list[SeenMessage]
    total: int
    cut: bool
    time: float


class Queues:
    """Reads the broker for everybody. Thread-safe."""

    def __init__(
        self,
        app: Celery,
        brokers: BrokerInspector,
        inspector: Inspector,
        reader: HistoryReader,
        *,
        remember: Callable[[Collection[str]], None],
        redactor: Redactor | None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`remember` is told of queues that the history does not know; `redactor` masks what messages tell."""
        self._brokers = brokers
        self._reader = reader
        self._redactor = redactor
        self._now = now
        self._names = QueueNames(app, brokers, inspector, reader, remember, time.monotonic)
        self._consumers = Consumers(inspector, reader)
        self._first_seen = FirstSeen()
        self._rest = Rest()
        self._threads = ThreadPoolExecutor(THREADS, "umbel-queues")
        #: Guards what is below; never held while a broker is asked.
        self._lock = threading.RLock()
        self._waiting = 0
        self._reading: Future[Board] | None = None
        self._fresh_until = 0.0
        #: Monotonic times of the last reading's end, and of when somebody last looked.
        self._read_at = self._looked_at = -math.inf
        #: Called when somebody looks after a while in which nobody did.
        self.on_look: Callable[[], None] = lambda: None

    @property
    def capabilities(self) -> Capabilities:
        """What can be known of this broker's queues: its own word, and what is seen beside it."""
        own = self._brokers.capabilities
        return msgspec.structs.replace(own, consumers=True, idle_since=own.idle_since or own.messages)

    def stop(self) -> None:
        """End the threads; a question that is under way is left to its own time-out."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._brokers.close()

    @property
    def is_watched(self) -> bool:
        """Somebody looked at the queues lately."""
        return time.monotonic() - self._looked_at < WATCHED

    def request(self) -> Future[Board]:
        """All queues, from the last reading while that is fresh. The future never fails for the broker's sake."""
        with self._lock:
            was_watched, self._looked_at = self.is_watched, time.monotonic()
            reading = self._request(self._fresh_until, ask_workers=True)
        if not was_watched:
            self.on_look()
        return reading

    def request_unwatched(self, *, max_age: float) -> Future[Board]:
        """The same for nobody's eyes: a reading of up to `max_age` seconds is as good, and no worker is asked."""
        with self._lock:
            return self._request(max(self._fresh_until, self._read_at + max_age), ask_workers=False)

    def _request(self, good_until: float, *, ask_workers: bool) -> Future[Board]:
        """With the lock held."""
        reading = self._reading
        if reading is None or (reading.done() and time.monotonic() >= good_until):
            reading = self._reading = self._submit(lambda: self._read(ask_workers=ask_workers))
        return reading

    def request_look(self, name: str, *, offset: int, limit: int, unacked: bool) -> Future[Look]:
        """Some of a queue's messages; the future raises BrokerError."""
        with self._lock:
            return self._submit(lambda: self._look(name, offset=offset, limit=limit, unacked=unacked))

    def request_search(self, task_id: str, first: Collection[str]) -> Future[Search]:
        """The message of a task, in the queues `first`, then in all others; the future raises BrokerError."""
        with self._lock:
            return self._submit(lambda: self._search(task_id, first))

    def request_lengths(self, names: Collection[str]) -> Future[list[dict[str, Any]]]:
        """Flower's figures of these queues; the future raises BrokerError."""
        with self._lock:
            return self._submit(lambda: self._brokers.fetch_lengths(names))

    async def purge(self, name: str) -> int:
        """Throw away what waits in a queue; return how many messages that were. In a thread of its own, for it does not
        wait behind questions.

        Raises:
            BrokerError: It was not done, or, by BrokerUnavailable, nobody knows whether it was.
        """
        count = await run_sync(self._brokers.purge, name)
        with self._lock:
            self._fresh_until, self._read_at = 0.0, -math.inf
        return count

    def _submit(self, work: Callable[[], _T]) -> Future[_T]:
        """With the lock held. Raises BrokerUnavailable when too much waits already."""
        if self._waiting >= MOST_WAITING:
            raise BrokerUnavailable("The broker answers more slowly than it is asked; try again in a moment.")
        self._waiting += 1
        future = self._threads.submit(work)
        future.add_done_callback(self._note_done)
        return future

    def _note_done(self, _: Future[Any]) -> None:
        with self._lock:
            self._waiting -= 1

    def _read(self, *, ask_workers: bool) -> Board:
        begun, share, cost = time.monotonic(), FRESH_SHARE, time.thread_time()
        if ask_workers and not self._brokers.capabilities.consumers:
            self._consumers.ask()
        names = self._names.fetch()
        try:
            reading = self._brokers.fetch_queues(names)
        except BrokerError as exc:
            unknown = [QueueFigures(name=name) for name in names]
            reading = Reading(queues=unknown, problems=[f"The broker's queues can't be read: {exc}"])
            share = 0.0  # soon asked again
        if len(names) == MOST_NAMES:
            reading.problems.append(f"Only the first {MOST_NAMES:,} queues by name are shown.")
        board = self._join(reading, names)
        ended = time.monotonic()
        with self._lock:
            self._read_at = ended
            self._fresh_until = ended + min(STALE, max(FRESH, share * (ended - begun)))
        return msgspec.structs.replace(board, cost=time.thread_time() - cost)

    def _join(self, reading: Reading, names: dict[str, tuple[Origin, ...]]) -> Board:
        now, can = self._now(), self.capabilities
        ids = [uuid for queue in reading.queues for uuid in queue.oldest or () if uuid]
        sent, problems = self._fetch_sent(ids, list(reading.problems))
        with self._lock:
            ages = self._first_seen.ages(ids, sent, now)
        consumers = None if self._brokers.capabilities.consumers else self._consumers.fetch()
        resting = self._fetch_resting(reading, consumers, now)
        states = {}
        for figures in fold_delayed(reading.queues):
            own_word = figures.idle_since is not None
            figures = msgspec.structs.replace(
                figures,
                idle_since=figures.idle_since if own_word else resting.get(figures.name),
                consumers=figures.consumers if consumers is None else len(consumers.get(figures.name, ())),
            )
            oldest = oldest_of(figures.oldest or (), ages)
            marks = {column: mark_of(column, figures, can) for column in COLUMNS}
            if oldest is None and figures.oldest:
                marks["oldest"] = Mark.UNKNOWN
            states[figures.name] = QueueState(
                figures=figures,
                marks=marks,
                known_from=names.get(figures.name, ("broker",)),
                idle_basis="broker" if own_word else "observed" if figures.idle_since is not None else None,
                oldest=oldest,
            )
        return Board(queues=states, problems=problems, capabilities=can, time=now)

    def _fetch_resting(
        self, reading: Reading, consumers: dict[str, set[str]] | None, now: float
    ) -> dict[str, float]:
        """Queue -> since when it rests, as readings show it; empty where the broker says so itself."""
        if self._brokers.capabilities.idle_since or consumers is None:
            return {}
        totals = self._consumers.fetch_received(set().union(*consumers.values()))
        if totals is None:
            return {}
        return self._rest.note(
            reading.queues,
            lambda name: sum(totals[hostname] for hostname in consumers.get(name, ())),
            now,
        )

    def _fetch_sent(self, uuids: list[str], problems: list[str]) -> tuple[dict[str, float], list[str]]:
        try:
            return self._reader.fetch_sent(uuids), problems
        except StoreError as exc:
            return {}, [*problems, f"The history can't be read now: {exc}"]

    def _look(self, name: str, *, offset: int, limit: int, unacked: bool) -> Look:
        peek = self._brokers.peek(name, offset=offset, limit=limit, unacked=unacked)
        now = self._now()
        ids = [message.task_id for message in peek.messages if message.task_id is not None]
        sent, _ = self._fetch_sent(ids, [])
        with self._lock:
            ages = self._first_seen.ages(ids, sent, now)
        return Look(
            messages=[
                SeenMessage(message=self._cleaned(message), age=ages.get(message.task_id or ""))
                for message in peek.messages
            ],
            total=peek.total,
            cut=peek.cut,
            time=now,
        )

    def _search(self, task_id: str, first: Collection[str]) -> Search:
        if not self._brokers.capabilities.peek:
            return self._brokers.find(task_id, list(first))  # which says why not
        return self._brokers.find(task_id, list(dict.fromkeys([*first, *self._names.fetch()])))

    def _cleaned(self, message: Message) -> Message:
        """With its arguments cut and redacted, as events are."""
        return msgspec.structs.replace(
            message, args=self._preview(message.args), kwargs=self._preview(message.kwargs)
        )

    def _preview(self, text: str | None) -> str | None:
        if text is None:
            return None
        short = text if len(text) <= PREVIEW else text[:PREVIEW] + "…"
        return short if self._redactor is None else self._redactor.redact_text(short)
