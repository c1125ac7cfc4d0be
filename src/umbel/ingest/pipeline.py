"""From buffered messages to stored rows: decode, redact, fold, tally, write in short transactions, acknowledge.

Owned by one thread, the only one that touches the store's writer. Nothing is acknowledged, and no row is remembered as
stored, before its transaction is committed; what cannot be written waits. Driven by `ingest.collector`.
"""

import logging
import time
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from itertools import islice

from umbel.errors import DecodeError, StoreError
from umbel.ingest.buffer import Buffer
from umbel.ingest.decode import Decoder
from umbel.ingest.source import Message
from umbel.ingest.workers import WorkerBook
from umbel.model.event import Event
from umbel.model.fold import attempts, fold, lost, project
from umbel.model.redact import Redactor
from umbel.model.rollup import Tally
from umbel.model.task import Record, Task
from umbel.store.base import Changes, CounterKey, HistoryWriter, Runtimes, TaskChange

_log = logging.getLogger("umbel.ingest.pipeline")

#: Rows in one transaction: as many as hold the write lock for about LOCK_TIME seconds.
MAX_ROWS, MIN_ROWS = 2000, 400
LOCK_TIME = 0.05

#: Messages decoded in one pass; more wait in the buffer, where they are bounded.
PASS_MESSAGES = 8000

#: Unfinished tasks remembered as stored, so that their next event needs no SELECT.
REMEMBERED = 20_000

#: Unreadable messages shown in the log, per minute.
_SAMPLES = 5


class Pipeline:
    """Takes messages out of the buffer into the history."""

    def __init__(
        self,
        store: HistoryWriter,
        buffer: Buffer,
        workers: WorkerBook,
        *,
        decoder: Decoder,
        redactor: Redactor | None,
        buckets: Sequence[float],
        acknowledge: Callable[[int], None],
        clock: Callable[[], float],
        between_chunks: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._buffer = buffer
        self._workers = workers
        self._decoder = decoder
        self._redactor = redactor
        self._buckets = tuple(buckets)
        self._acknowledge = acknowledge
        self._clock = clock
        self._between_chunks = between_chunks
        self._known: OrderedDict[str, tuple[Task, Record]] = OrderedDict()
        #: uuid -> events taken from the buffer and not stored yet.
        self._pending: dict[str, list[Event]] = {}
        self._counters: dict[CounterKey, int] = {}
        self._tag: int | None = None
        self._newest = 0.0
        self._rows = MAX_ROWS
        self._sampled = (0.0, 0)
        self.events = 0
        self.malformed: dict[str, int] = {}
        self.last_event_at: float | None = None
        #: Seconds from receipt to commit of the newest flush.
        self.lag = 0.0

    def flush(self) -> int:
        """Store what the buffer holds, at most one pass of it; return how many messages were taken.

        Raises:
            StoreUnavailable: What was not written is kept and goes first next time.
        """
        messages: list[Message] = []
        if not self._pending and not self._counters:
            messages = self._buffer.take(PASS_MESSAGES)
            for message in messages:
                self._take(message)
        self._write_pending()
        if self._tag is not None:
            self._acknowledge(self._tag)
            self._tag = None
        if self._newest:
            self.lag = max(0.0, self._clock() - self._newest)
            self._newest = 0.0
        return len(messages)

    def _take(self, message: Message) -> None:
        events, errors = self._decoder.decode(message.body, message.content_type, message.received_at)
        for error in errors:
            self._count_malformed(error, message)
        redactor = self._redactor
        heard: Event | None = None
        for event in events:
            self.events += 1
            uuid = event.uuid
            if uuid is not None and event.type[:5] == "task-":
                self._pending.setdefault(uuid, []).append(
                    event if redactor is None else redactor.redact(event)
                )
            else:
                key = CounterKey(event.hostname, "", event.type)
                self._counters[key] = self._counters.get(key, 0) + 1
                self._workers.hear(event)
                continue
            # a worker's buffered events come in one message: the last one says all that they say of it
            if heard is not None and (heard.hostname, heard.pid) != (event.hostname, event.pid):
                self._workers.hear(heard)
            heard = event
        if heard is not None:
            self._workers.hear(heard)
        if events:
            self._newest = self.last_event_at = message.received_at
        if message.tag is not None:
            self._tag = message.tag

    def _count_malformed(self, error: DecodeError, message: Message) -> None:
        self.malformed[error.cause] = self.malformed.get(error.cause, 0) + 1
        since, shown = self._sampled
        now = self._clock()
        if now - since > 60:
            since, shown = now, 0
        if shown < _SAMPLES:
            _log.warning(
                "Unreadable message (%s): %s; it begins %r",
                error.cause,
                error,
                message.body[:120],
            )
        self._sampled = (since, shown + 1)

    def _write_pending(self) -> None:
        while self._pending or self._counters:
            chunk = list(islice(self._pending, self._rows))
            try:
                self._write_chunk(chunk)
            except StoreError:
                raise
            except Exception:  # one task that breaks a rule nobody thought of must not stop all others
                _log.exception("A chunk of %d tasks could not be stored; trying them one by one.", len(chunk))
                self._write_one_by_one(chunk)
            self._between_chunks()

    def _write_chunk(self, chunk: Sequence[str]) -> None:
        priors = self._fetch_priors(chunk)
        tally = Tally()
        changes = []
        for uuid in chunk:
            change = fold_change(priors.get(uuid), self._pending[uuid], tally)
            if change is not None:
                changes.append(change)
        self._write(changes, tally, with_workers=len(chunk) == len(self._pending))
        for uuid in chunk:
            del self._pending[uuid]

    def _write_one_by_one(self, chunk: Sequence[str]) -> None:
        for uuid in chunk:
            self._known.pop(uuid, None)
            try:
                self._write_chunk([uuid])
            except StoreError:
                raise
            except Exception:  # see above
                _log.exception("Events of the task %s could not be stored and are left out.", uuid)
                lost_events = self._pending.pop(uuid, [])
                self.malformed["internal"] = self.malformed.get("internal", 0) + len(lost_events)

    def _write(self, tasks: Sequence[TaskChange], tally: Tally, *, with_workers: bool) -> None:
        """One transaction; afterwards its rows are remembered as stored."""
        totals = tally.totals()
        counters = {CounterKey(*key): count for key, count in totals.counters.items()}
        workers, removed = self._workers.get_changes() if with_workers else ([], [])
        if with_workers:
            for key, count in self._counters.items():
                counters[key] = counters.get(key, 0) + count
        begun = time.perf_counter()
        self._store.write(
            Changes(
                tasks=tasks,
                workers=workers,
                workers_removed=removed,
                counters=counters,
                runtimes={key: self._runtimes(seen) for key, seen in totals.runtimes.items()},
                rollups=totals.rollups,
            )
        )
        self._adapt(len(tasks), time.perf_counter() - begun)
        if with_workers:
            self._workers.set_stored()
            self._counters = {}
        for change in tasks:
            self._remember(change.after, change.record)

    def _adapt(self, rows: int, seconds: float) -> None:
        """Keep the time for which one transaction holds the lock near LOCK_TIME."""
        if rows < MIN_ROWS:
            return
        fitting = int(rows * LOCK_TIME / max(seconds, 1e-6))
        self._rows = max(MIN_ROWS, min(MAX_ROWS, (self._rows + fitting) // 2))

    def _runtimes(self, seen: dict[float, int]) -> Runtimes:
        counts = [0] * (len(self._buckets) + 1)
        for seconds, count in seen.items():
            counts[bisect_left(self._buckets, seconds)] += count
        return Runtimes(tuple(counts), sum(seconds * count for seconds, count in seen.items()))

    def _fetch_priors(self, uuids: Collection[str]) -> dict[str, tuple[Task, Record]]:
        known = self._known
        priors = {uuid: known[uuid] for uuid in uuids if uuid in known}
        missing = [uuid for uuid in uuids if uuid not in priors]
        if missing:
            priors.update(self._store.fetch_records(missing))
        return priors

    def _remember(self, task: Task, record: Record) -> None:
        if task.finished:
            self._known.pop(task.uuid, None)
            return
        self._known[task.uuid] = (task, record)
        self._known.move_to_end(task.uuid)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def write_workers(self) -> None:
        """Store worker rows whose status changed without an event. Raises StoreUnavailable."""
        workers, removed = self._workers.get_changes()
        if workers or removed:
            self._write((), Tally(), with_workers=True)

    def give_up(self, tasks: Sequence[Task], *, alive_pid: int, now: float) -> int:
        """Turn these open tasks, whose worker run has ended, into UNKNOWN; return how many.

        Tasks whose last attempt is of the run `alive_pid` are left alone. Raises StoreUnavailable.
        """
        rows = self._fetch_priors([task.uuid for task in tasks if task.uuid not in self._pending])
        tally = Tally()
        changes = []
        for before, record in rows.values():
            runs = attempts(record.marks)
            if before.finished or (alive_pid and runs and runs[-1].pid == alive_pid):
                continue
            after = lost(record, max(now, record.marks[-1].time))
            tally.add_transition(record, after)
            changes.append(TaskChange(before, project(after), after))
        if changes:
            self._write(changes, tally, with_workers=False)
        return len(changes)


def fold_change(
    prior: tuple[Task, Record] | None, events: Sequence[Event], tally: Tally
) -> TaskChange | None:
    """The transition that these events of one task make, added to the tally; None when they tell nothing new."""
    before, record = prior if prior is not None else (None, None)
    after = fold(record, events)
    if record is not None and len(after.marks) == len(record.marks) and after == record:
        return None
    runs = attempts(after.marks)
    tally.add_transition(record, after, runs)
    return TaskChange(before, project(after, runs), after)
