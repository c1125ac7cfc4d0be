"""From buffered messages to stored rows: decode, redact, fold, tally, write in short transactions, acknowledge.

Owned by one thread; the transactions themselves run in another (`ingest.write_behind`). Nothing is acknowledged before
it is committed, and what cannot be written waits. Driven by `ingest.collector`.
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
from umbel.ingest.transitions import fold_changes
from umbel.ingest.workers import WorkerBook
from umbel.ingest.write_behind import Chunk, WriteBehind
from umbel.model.attempts import attempts
from umbel.model.event import Event
from umbel.model.fold import lost, project
from umbel.model.plain import Life, as_record
from umbel.model.redact import Redactor
from umbel.model.rollup import Tally
from umbel.model.task import Task
from umbel.store.base import Changes, CounterKey, HistoryWriter, Runtimes, TaskChange

_log = logging.getLogger("umbel.ingest.pipeline")

#: Rows in one transaction: as many as hold the write lock for about LOCK_TIME seconds.
MAX_ROWS, MIN_ROWS = 2000, 400
LOCK_TIME = 0.05

#: The same while more is waiting than one pass takes. Each transaction writes whole pages of the indexes it touches, so
#: small ones cost twice as much when it matters; and nobody waits for the lock then but what can wait.
ROWS_BEHIND = 6000

#: Messages decoded in one pass; more wait in the buffer, where they are bounded.
PASS_MESSAGES = 8000

#: Seconds after which a flush ends although the buffer has filled again: others wait for the pipeline's thread too.
LONGEST_FLUSH = 1.0

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
        self._behind = WriteBehind(store, self._note_stored)
        #: Open tasks as they are stored. Those in chunks on their way have changed since.
        self._known: OrderedDict[str, tuple[Task, Life]] = OrderedDict()
        #: uuid -> events taken from the buffer and in no chunk yet.
        self._pending: dict[str, list[Event]] = {}
        self._counters: dict[CounterKey, int] = {}
        #: hostname -> its latest task event, of which the worker book has not heard yet.
        self._latest: dict[str, Event] = {}
        self._tag: int | None = None
        #: Receipt of the oldest and the newest message that is not stored yet; 0.0 for none.
        self._oldest = self._newest = 0.0
        self._rows = MAX_ROWS
        self._sampled = (0.0, 0)
        self.events = 0
        self.malformed: dict[str, int] = {}
        self.last_event_at: float | None = None
        self._lag = 0.0

    def close(self) -> None:
        """End the thread that writes; what it has not stored is lost with the process."""
        self._behind.close()

    @property
    def lag(self) -> float:
        """Seconds from receipt to commit: of the newest flush, or of what has waited longest if that is more."""
        oldest = self._oldest or self._buffer.oldest
        return max(self._lag, 0.0 if oldest is None else self._clock() - oldest)

    def flush(self) -> int:
        """Store what the buffer holds, for about LONGEST_FLUSH at most; return how many messages were taken.

        Raises:
            StoreUnavailable: What was not written is kept and goes first next time.
        """
        if self._behind:
            self._guarded(self._behind.retry)
        taken = 0
        until = time.monotonic() + LONGEST_FLUSH
        while True:
            if not self._pending and not self._counters:
                taken += self._take_pass()
            self._submit_pending()
            if not self._buffer.size or time.monotonic() > until:
                break
        self._guarded(self._behind.settle)
        self._note_all_stored()
        return taken

    def _note_all_stored(self) -> None:
        if self._tag is not None:
            self._acknowledge(self._tag)
            self._tag = None
        if self._oldest:
            self._lag = max(0.0, self._clock() - (self._newest or self._oldest))
            self._oldest = self._newest = 0.0
        else:
            # a cluster gone quiet must not be told the lag of its last burst for ever
            self._lag = 0.0

    def _take_pass(self) -> int:
        messages = self._buffer.take(PASS_MESSAGES)
        if not messages:
            return 0
        self._oldest = self._oldest or messages[0].received_at
        decode, pending, latest = self._decoder.decode, self._pending, self._latest
        # a busy collector spends its time here
        for message in messages:
            events, errors = decode(message.body, message.content_type, message.received_at)
            for event in events:
                uuid = event.uuid
                if uuid is None or event.type[:5] != "task-":
                    self._hear(event)
                    continue
                waiting = pending.get(uuid)
                if waiting is None:
                    pending[uuid] = [event]
                else:
                    # texts that all have are held once: the others go before they have left the cache
                    event.uuid = waiting[0].uuid
                    waiting.append(event)
                hostname = event.hostname
                last = latest.get(hostname)
                if last is not None:
                    event.hostname = hostname = last.hostname
                    if last.pid != event.pid:
                        self._workers.hear(last)
                # of a run's task events the last one says all that they say of it
                latest[hostname] = event
            self._note_taken(message, events, errors)
        for event in latest.values():
            self._workers.hear(event)
        latest.clear()
        return len(messages)

    def _note_taken(self, message: Message, events: Sequence[Event], errors: Sequence[DecodeError]) -> None:
        for error in errors:
            self._count_malformed(error, message)
        if events:
            self.events += len(events)
            self._newest = self.last_event_at = message.received_at
        if message.tag is not None:
            self._tag = message.tag

    def _hear(self, event: Event) -> None:
        """A worker's event, which comes after the task events that it sent before."""
        key = CounterKey(event.hostname, "", event.type)
        self._counters[key] = self._counters.get(key, 0) + 1
        last = self._latest.pop(event.hostname, None)
        if last is not None:
            self._workers.hear(last)
        self._workers.hear(event)

    def _count_malformed(self, error: DecodeError, message: Message) -> None:
        self.malformed[error.cause] = self.malformed.get(error.cause, 0) + 1
        since, shown = self._sampled
        now = self._clock()
        if now - since > 60:
            since, shown = now, 0
        if shown < _SAMPLES:
            _log.warning("Unreadable message (%s): %s; it begins %r", error.cause, error, message.body[:120])
        self._sampled = (since, shown + 1)

    def _submit_pending(self) -> None:
        while self._pending or self._counters:
            chunk = list(islice(self._pending, ROWS_BEHIND if self._buffer.size else self._rows))
            try:
                self._submit(self._make_chunk(chunk))
            except StoreError:
                raise
            except Exception:  # one task that breaks a rule nobody thought of must not stop all others
                self._write_one_by_one(chunk)
            self._between_chunks()

    def _make_chunk(self, uuids: Sequence[str]) -> Chunk:
        """The chunk of these pending tasks; with the last of them goes all else that is to be stored."""
        priors = self._fetch_priors(uuids)
        tally = Tally()
        pending = self._pending
        changes = fold_changes([(priors.get(uuid), pending[uuid]) for uuid in uuids], tally, self._redactor)
        return self._chunk_of(changes, tally, uuids, with_workers=len(uuids) == len(self._pending))

    def _chunk_of(
        self, tasks: Sequence[TaskChange], tally: Tally, uuids: Sequence[str] = (), *, with_workers: bool
    ) -> Chunk:
        totals = tally.totals()
        counters = {CounterKey(*key): count for key, count in totals.counters.items()}
        workers, removed = self._workers.get_changes() if with_workers else ([], [])
        if with_workers:
            for key, count in self._counters.items():
                counters[key] = counters.get(key, 0) + count
        changes = Changes(
            tasks=tasks,
            workers=workers,
            workers_removed=removed,
            counters=counters,
            runtimes={key: self._runtimes(seen) for key, seen in totals.runtimes.items()},
            rollups=totals.rollups,
        )
        events = {uuid: self._pending.pop(uuid) for uuid in uuids}
        if with_workers:
            self._workers.set_stored()
            self._counters = {}
        return Chunk(changes, events, {change.after.uuid: (change.after, change.life) for change in tasks})

    def _submit(self, chunk: Chunk) -> None:
        self._guarded(lambda: self._behind.submit(chunk))

    def _guarded(self, act: Callable[[], None]) -> None:
        """Run `act`; if the history breaks over a chunk, unmake it and those behind it and write task by task."""
        try:
            act()
        except StoreError:
            raise
        except Exception:  # see above
            chunks = self._behind.take_back()
            if not chunks:
                raise
            for chunk in reversed(chunks):
                self._unmake(chunk)
            self._write_one_by_one([uuid for chunk in chunks for uuid in chunk.events])

    def _unmake(self, chunk: Chunk) -> None:
        """Let what the chunk was made of be pending again; worker rows are as good later."""
        for uuid, events in chunk.events.items():
            self._known.pop(uuid, None)
            self._pending[uuid] = events + self._pending.get(uuid, [])
        for key, count in chunk.changes.counters.items():
            if not key.type.startswith("task-"):
                self._counters[key] = self._counters.get(key, 0) + count
        self._workers.put_back_changes(chunk.changes.workers, chunk.changes.workers_removed)

    def _write_one_by_one(self, uuids: Sequence[str]) -> None:
        _log.exception("A chunk of %d tasks could not be stored; trying them one by one.", len(uuids))
        for uuid in dict.fromkeys(uuids):
            self._known.pop(uuid, None)
            try:
                self._behind.submit(self._make_chunk([uuid]))
                self._behind.settle()
            except StoreError:
                raise
            except Exception:  # see above
                _log.exception("Events of the task %s could not be stored and are left out.", uuid)
                self._known.pop(uuid, None)
                lost_events = self._pending.pop(uuid, [])
                for chunk in self._behind.take_back():
                    lost_events = chunk.events.get(uuid, lost_events)
                self.malformed["internal"] = self.malformed.get("internal", 0) + len(lost_events)

    def _note_stored(self, chunk: Chunk) -> None:
        """A chunk is committed: its open tasks are known from now on."""
        self._adapt(len(chunk.changes.tasks), chunk.seconds)
        known = self._known
        for uuid, (task, _) in chunk.lives.items():
            if not task.finished:
                known[uuid] = chunk.lives[uuid]
                known.move_to_end(uuid)
            elif uuid in known:
                del known[uuid]
        while len(known) > REMEMBERED:
            known.popitem(last=False)

    def _adapt(self, rows: int, seconds: float) -> None:
        """Keep the time for which one transaction holds the lock near LOCK_TIME."""
        if not MIN_ROWS <= rows <= MAX_ROWS:
            return
        fitting = int(rows * LOCK_TIME / max(seconds, 1e-6))
        self._rows = max(MIN_ROWS, min(MAX_ROWS, (self._rows + fitting) // 2))

    def _runtimes(self, seen: dict[float, int]) -> Runtimes:
        counts = [0] * (len(self._buckets) + 1)
        for seconds, count in seen.items():
            counts[bisect_left(self._buckets, seconds)] += count
        return Runtimes(tuple(counts), sum(seconds * count for seconds, count in seen.items()))

    def _fetch_priors(self, uuids: Collection[str]) -> dict[str, tuple[Task, Life]]:
        """What was known of these tasks before: by chunks on their way, newest first, else as it is stored."""
        priors: dict[str, tuple[Task, Life]] = {}
        missing: Collection[str] = uuids
        for lives in (*(chunk.lives for chunk in reversed(self._behind.chunks)), self._known):
            if lives and missing:
                found = lives.keys() & missing
                if found:
                    priors.update((uuid, lives[uuid]) for uuid in found)
                    missing = [uuid for uuid in missing if uuid not in found]
        if missing:
            priors.update(self._store.fetch_lives(missing))
        return priors

    def _write(self, tasks: Sequence[TaskChange], tally: Tally, *, with_workers: bool) -> None:
        """One transaction, now."""
        self._submit(self._chunk_of(tasks, tally, with_workers=with_workers))
        self._guarded(self._behind.settle)

    def write_workers(self) -> None:
        """Store worker rows whose status changed without an event. Raises StoreUnavailable."""
        if self._workers.has_changes():
            self._write((), Tally(), with_workers=True)

    def give_up(self, tasks: Sequence[Task], *, alive_pid: int, now: float) -> int:
        """Turn these open tasks, whose worker run has ended, into UNKNOWN; return how many.

        Tasks whose last attempt is of the run `alive_pid` are left alone. Raises StoreUnavailable.
        """
        rows = self._fetch_priors([task.uuid for task in tasks if task.uuid not in self._pending])
        tally = Tally()
        changes = []
        for before, life in rows.values():
            record = as_record(before, life)
            runs = attempts(record.marks)
            if before.finished or (alive_pid and runs and runs[-1].pid == alive_pid):
                continue
            after = lost(record, max(now, record.marks[-1].time))
            tally.add_transition(record, after)
            changes.append(TaskChange(before, project(after), after))
        if changes:
            self._write(changes, tally, with_workers=False)
        return len(changes)
