"""From buffered messages to stored rows: decode, redact, fold, tally, write in short transactions, acknowledge.

Owned by one thread; the transactions themselves run in another (`ingest.write_behind`). Nothing is acknowledged before
it is committed, and what cannot be written waits. Driven by `ingest.collector`.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from umbel.errors import StoreError
from umbel.ingest.buffer import Buffer
from umbel.ingest.chunk import Chunk, Draft, Watermark
from umbel.ingest.decode import Decoder
from umbel.ingest.intake import Intake
from umbel.ingest.transitions import Transitions, fold_changes
from umbel.ingest.workers import WorkerBook
from umbel.ingest.write_behind import WriteBehind
from umbel.model.attempts import attempts
from umbel.model.fold import lost, project
from umbel.model.plain import Life, as_record
from umbel.model.redact import Redactor
from umbel.model.task import Task
from umbel.store.base import HistoryWriter, TaskChange

_log = logging.getLogger("umbel.ingest.pipeline")

#: Rows in one transaction: as many as hold the write lock for about LOCK_TIME seconds.
MAX_ROWS, MIN_ROWS = 2000, 400
LOCK_TIME = 0.05

#: The same while more is waiting than one pass takes. Each transaction writes whole pages of the indexes it touches, so
#: small ones cost more; with large ones the pipeline and the writer wait for each other.
ROWS_BEHIND = 4000

#: Bytes of rows in one transaction, about: twice as many as ROWS_BEHIND have as a rule. With long texts (tracebacks of
#: 30 kB, say) they would take hundreds of megabytes in each of both processes.
MOST_BYTES = 8_000_000

#: Messages taken in one pass; more wait in the buffer, where they are bounded.
PASS_MESSAGES = 16_000

#: Tasks told at a time, and looked through for secrets together: see `ingest.intake.AT_HAND`.
TASKS_AT_HAND = 128

#: Seconds after which a flush ends although the buffer has filled again: others wait for the pipeline's thread too.
LONGEST_FLUSH = 1.0

#: Unfinished tasks remembered as stored, so that their next event needs no SELECT.
REMEMBERED = 20_000


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
        acknowledge: Callable[[int], None],
        clock: Callable[[], float],
        between_chunks: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._buffer = buffer
        self._workers = workers
        self._redactor = redactor
        self._acknowledge = acknowledge
        self._clock = clock
        self._between_chunks = between_chunks
        self._behind = WriteBehind(store, self._note_stored)
        self._intake = Intake(decoder, workers, clock)
        self._draft = Draft(redactor)
        #: Open tasks as they are stored. Those in chunks on their way have changed since.
        self._known: OrderedDict[str, tuple[Task, Life]] = OrderedDict()
        #: Receipt of the oldest message that is not stored, and of the oldest behind the last watermark; 0.0 for none.
        self._oldest = self._unmarked = 0.0
        self._rows = MAX_ROWS
        self._lag = 0.0
        #: The writer was waited for: what either of both can do is done here, until it is not.
        self._has_waited = False

    def run_behind(self, act: Callable[[], None]) -> None:
        """Do `act`, which writes into the history too, after the chunks on their way, without waiting for it; see
        `WriteBehind.run`."""
        self._behind.run(act)

    def close(self) -> None:
        """End the thread that writes; what it has not stored is lost with the process."""
        self._behind.close()

    @property
    def events(self) -> int:
        """How many were decoded."""
        return self._intake.events

    @property
    def malformed(self) -> Mapping[str, int]:
        """Cause -> messages and events that could not be read, or stored ("internal")."""
        return self._intake.malformed

    @property
    def last_event_at(self) -> float | None:
        """Receipt of the newest event that was decoded, epoch seconds UTC."""
        return self._intake.last_event_at

    @property
    def lag(self) -> float:
        """Seconds from receipt to commit: of the newest flush, or of what has waited longest if that is more."""
        oldest = self._oldest or self._buffer.oldest
        return max(self._lag, 0.0 if oldest is None else self._clock() - oldest)

    def flush(self) -> int:
        """Store what the buffer holds, for about LONGEST_FLUSH at most; return how many messages were taken.

        While more is waiting in the end, the last of it is still on its way.

        Raises:
            StoreUnavailable: What was not written is kept and goes first next time.
        """
        was_idle = not self._oldest
        if self._behind.has_failed:
            self._guarded(self._behind.retry)
        taken = 0
        until = time.monotonic() + LONGEST_FLUSH
        while True:
            if not self._intake.messages:
                taken += self._take()
            self._work_off()
            if not self._buffer.size or time.monotonic() > until:
                break
        self._submit_rest()
        if not self._buffer.size:
            self._guarded(self._behind.settle)
            if self._unmarked or self._intake.counters:  # left when a chunk was broken up
                self._submit_rest()
                self._guarded(self._behind.settle)
            if was_idle and not taken:
                # a cluster gone quiet must not be told the lag of its last burst for ever
                self._lag = 0.0
        return taken

    def _take(self) -> int:
        messages = self._buffer.take(PASS_MESSAGES)
        if messages:
            self._unmarked = self._unmarked or messages[0].received_at
            self._oldest = self._oldest or self._unmarked
            self._intake.messages.extend(messages)
        return len(messages)

    def _work_off(self) -> None:
        """Decode all that was taken, and fold tasks soon after they ended; the last ones are left."""
        intake = self._intake
        ripe: list[str] = []
        while intake.messages:
            ended = intake.gather(self._draft.messages)
            # one round later: what others tell of a task comes about when it ends
            self._fold(ripe)
            ripe = ended

    def _submit_rest(self) -> None:
        """Fold and submit all that was taken, and mark that it was all."""
        intake = self._intake
        intake.tell_workers()
        self._fold(list(intake.pending))
        while intake.pending:
            # of tasks that are on their way already
            self._submit_draft()
            self._guarded(self._behind.settle)
            self._fold(list(intake.pending))
        if len(self._draft) or intake.counters or self._workers.has_changes():
            self._submit_draft(last=True)
        elif self._unmarked:
            self._guarded(self._behind.settle)
            self._pass(self._take_watermark())

    def _take_watermark(self) -> Watermark:
        """For the chunk with the last of all that was taken so far."""
        intake = self._intake
        watermark = Watermark(self._unmarked, intake.newest or self._unmarked, intake.tag)
        self._unmarked, intake.newest, intake.tag = 0.0, 0.0, None
        return watermark

    def _pass(self, watermark: Watermark) -> None:
        """All up to it is stored."""
        if watermark.tag is not None:
            self._acknowledge(watermark.tag)
        if watermark.oldest:
            self._lag = max(0.0, self._clock() - watermark.newest)
            following = (chunk.watermark for chunk in self._behind.chunks)
            self._oldest = next((mark.oldest for mark in following if mark is not None), self._unmarked)

    def _fold(self, uuids: Sequence[str]) -> None:
        """Bring what is pending of these tasks into the draft; leave those that are on their way already."""
        pending = self._intake.pending
        on_their_way = self._find_on_their_way(uuids)
        todo = [u for u in dict.fromkeys(uuids) if u in pending and u not in on_their_way]
        while todo:
            room = (ROWS_BEHIND if self._buffer.size else self._rows) - len(self._draft)
            if room <= 0 or self._draft.size >= MOST_BYTES:
                self._submit_draft()
            else:
                count = min(TASKS_AT_HAND, room)
                self._fold_part(todo[:count])
                del todo[:count]

    def _fold_part(self, uuids: Sequence[str]) -> None:
        priors, pending = self._fetch_priors(uuids), self._intake.pending
        # a chunk that was broken up may have taken some of them along
        steps = [(priors.get(uuid), pending[uuid]) for uuid in uuids if uuid in pending]
        try:
            found = fold_changes(steps, self._draft.tally, self._redactor, put_off=not self._has_waited)
            self._draft.add(found)
        except Exception:  # one task that breaks a rule nobody thought of must not stop all others
            self._break_up([], uuids)
            return
        for uuid in uuids:
            pending.pop(uuid, None)

    def _find_on_their_way(self, uuids: Iterable[str]) -> set[str]:
        """Those whose newest state is not to be had before they are stored."""
        wanted, draft = set(uuids), self._draft
        found = wanted & draft.ended | wanted & draft.open.keys()
        for chunk in self._behind.chunks:
            found |= wanted & chunk.ended
        return found

    def _submit_draft(self, *, last: bool = False) -> None:
        """Have it written; with the `last` of what was taken goes all else that is to be stored."""
        if len(self._draft) or last:
            draft, self._draft = self._draft, Draft(self._redactor, self._intake.pending)
            self._submit(draft, self._take_watermark() if last else None, with_workers=last)
            self._between_chunks()

    def _submit(
        self, draft: Draft, watermark: Watermark | None = None, *, with_workers: bool = False
    ) -> None:
        if with_workers:
            counters = self._intake.take_counters()
            chunk = draft.close(*self._workers.get_changes(), counters)
            self._workers.set_stored()
        else:
            chunk = draft.close()
        chunk.watermark = watermark
        self._guarded(lambda: self._pass_on(chunk))

    def _pass_on(self, chunk: Chunk) -> None:
        self._has_waited = self._behind.submit(chunk)

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
            self._break_up(chunks)

    def _break_up(self, chunks: Sequence[Chunk], uuids: Sequence[str] = ()) -> None:
        """Unmake these chunks and the draft, and store their tasks, and those named, one by one."""
        draft = self._draft
        for chunk in (draft.close(), *reversed(chunks)):
            self._unmake(chunk)
        self._draft = Draft(self._redactor, self._intake.pending)
        self._write_one_by_one([*(uuid for chunk in chunks for uuid in chunk.uuids), *draft, *uuids])
        self._draft = Draft(self._redactor, self._intake.pending)

    def _unmake(self, chunk: Chunk) -> None:
        """Let what the chunk was made of be pending again; worker rows are as good later."""
        for uuid in chunk.uuids:
            self._known.pop(uuid, None)
        self._intake.take_back(chunk)
        self._workers.put_back_changes(chunk.changes.workers, chunk.changes.workers_removed)
        if chunk.watermark is not None:
            self._unmarked = chunk.watermark.oldest or self._unmarked

    def _write_one_by_one(self, uuids: Sequence[str]) -> None:
        _log.exception("A chunk of %d tasks could not be stored; trying them one by one.", len(uuids))
        self._guarded(self._behind.settle)
        for uuid in dict.fromkeys(uuids):
            events = self._intake.pending.get(uuid)
            if events is None:
                continue
            self._known.pop(uuid, None)
            draft = Draft(self._redactor, {uuid: events})
            try:
                prior = self._fetch_priors([uuid]).get(uuid)
                draft.add(fold_changes([(prior, events)], draft.tally, self._redactor))
                del self._intake.pending[uuid]
                self._behind.submit(draft.close())
                self._behind.settle()
            except StoreError:
                raise
            except Exception:  # see above
                _log.exception("Events of the task %s could not be stored and are left out.", uuid)
                self._behind.take_back()
                self._intake.leave_out(uuid, events)

    def _note_stored(self, chunk: Chunk) -> None:
        """A chunk is committed: its open tasks are known from now on."""
        self._adapt(len(chunk.changes.tasks), chunk.seconds)
        known = self._known
        for uuid in [*(known.keys() & chunk.ended), *(known.keys() & chunk.open)]:
            del known[uuid]
        known.update(chunk.open)
        while len(known) > REMEMBERED:
            known.popitem(last=False)
        if chunk.watermark is not None:
            self._pass(chunk.watermark)

    def _adapt(self, rows: int, seconds: float) -> None:
        """Keep the time for which one transaction holds the lock near LOCK_TIME."""
        if not MIN_ROWS <= rows <= MAX_ROWS:
            return
        fitting = int(rows * LOCK_TIME / max(seconds, 1e-6))
        self._rows = max(MIN_ROWS, min(MAX_ROWS, (self._rows + fitting) // 2))

    def _fetch_priors(self, uuids: Collection[str]) -> dict[str, tuple[Task, Life]]:
        """What was known of these tasks before: by chunks on their way, newest first, else as it is stored."""
        priors: dict[str, tuple[Task, Life]] = {}
        missing: Collection[str] = uuids
        for lives in (*(chunk.open for chunk in reversed(self._behind.chunks)), self._known):
            if lives and missing:
                found = lives.keys() & missing
                if found:
                    priors.update((uuid, lives[uuid]) for uuid in found)
                    missing = [uuid for uuid in missing if uuid not in found]
        if missing:
            priors.update(self._store.fetch_lives(missing))
        return priors

    def write_workers(self) -> None:
        """Store worker rows whose status changed without an event; don't wait for it while more is waiting.

        Raises StoreUnavailable.
        """
        if self._workers.has_changes():
            self._submit(Draft(self._redactor), with_workers=True)
            if not self._buffer.size:
                self._guarded(self._behind.settle)

    def give_up(self, tasks: Sequence[Task], *, alive_pid: int, now: float) -> int:
        """Turn these open tasks, whose worker run has ended, into UNKNOWN; return how many.

        Tasks whose last attempt is of the run `alive_pid` are left alone. Raises StoreUnavailable.
        """
        uuids = {task.uuid for task in tasks} - self._intake.pending.keys()
        rows = self._fetch_priors(uuids - self._find_on_their_way(uuids))
        draft, changes = Draft(self._redactor), []
        for before, life in rows.values():
            record = as_record(before, life)
            runs = attempts(record.marks)
            if before.finished or (alive_pid and runs and runs[-1].pid == alive_pid):
                continue
            after = lost(record, max(now, record.marks[-1].time))
            draft.tally.add_transition(record, after)
            changes.append(TaskChange(before, project(after), after))
        if changes:
            draft.add(Transitions([], changes))
            self._submit(draft)
            self._guarded(self._behind.settle)
        return len(changes)
