"""The collector process: source, buffer, pipeline and history, wired together and run until told to stop.

`python -m umbel.ingest.collector` reads its settings as one line of JSON from stdin, then commands, one a line; the end
of stdin means stop. It writes its status to stdout, one line of JSON each time. Started by `ingest.supervise`.
"""

import io
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO

import msgspec

from umbel.errors import SourceError, StoreEnded, StoreError, StoreLocked
from umbel.ingest.buffer import Buffer
from umbel.ingest.decode import Decoder
from umbel.ingest.gaps import GapBook
from umbel.ingest.housekeeping import REST, Housekeeping
from umbel.ingest.judge import Judge
from umbel.ingest.kombu_source import KombuSource
from umbel.ingest.memory import Memory, tune_interpreter
from umbel.ingest.parent import Command, Reporter, obey
from umbel.ingest.pipeline import Pipeline
from umbel.ingest.queue_notes import QueueNotes
from umbel.ingest.settings import STOP_SIGNALS, CollectorSettings, build_app
from umbel.ingest.sign import STATUS_INTERVAL, Sign
from umbel.ingest.source import Source, SourceState
from umbel.ingest.spool import Spool
from umbel.ingest.watch import Watch
from umbel.ingest.workers import WorkerBook
from umbel.model.redact import Redactor
from umbel.store.base import HistoryWriter
from umbel.store.retention import Limits
from umbel.store.search_index import remove_index
from umbel.store.search_indexer import SearchIndexer
from umbel.store.sqlite_writer import SQLiteWriter
from umbel.store.status import CollectorStatus
from umbel.store.writer_process import start_writer

_log = logging.getLogger("umbel.ingest.collector")

#: Seconds between two signs of life while nothing happens; else it is STATUS_INTERVAL.
IDLE_SIGN = 5.0
#: Seconds in which what has been received is stored at the end: the parent waits a little longer (`supervise`).
FINISH_TIME = 8.0
#: How a log line goes to the parent, which logs it again in its own way (`supervise`).
LOG_FORMAT = "%(levelname)s %(message)s"
#: Seconds between two rounds that look at everything while nothing happens; a sign of life is given in between.
IDLE_INTERVAL = 10.0
#: Seconds between attempts to open or write a store that refuses.
STORE_RETRY = 1.0
#: Behind is who has this part of the buffer full.
_BEHIND_SHARE = 8
#: Events in one flush from which on flushes are spaced as in busy times, and from which on it was part of a burst.
_BUSY, _BURST = 250, 8_000
#: Seconds of lag from which on the page says so.
_BEHIND = 5.0


class _Parts(msgspec.Struct, frozen=True):
    """What runs while the history is open."""

    source: Source
    pipeline: Pipeline
    gaps: GapBook
    watch: Watch
    judge: Judge
    keeper: Housekeeping


class Collector:
    """One run of a collector over one history, which it opens when it can."""

    def __init__(
        self,
        settings: CollectorSettings,
        store: HistoryWriter,
        make_source: Callable[[], Source],
        *,
        broker: str,
        redactor: Redactor | None,
        indexer: SearchIndexer | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._store = store
        self._make_source = make_source
        self._broker = broker
        self._redactor = redactor
        self._indexer = indexer
        self._clock = clock
        self._started = clock()
        self._stop = threading.Event()
        self._store_error = ""
        self._standby = False
        self._parts: _Parts | None = None
        spool = Spool(Path(settings.store_path).parent, settings.spool_bytes)
        self._buffer = Buffer(settings.buffer_bytes, clock=clock, spool=spool)
        self._sign = Sign(store, self.get_status, clock)
        self.reporter = Reporter(self.get_status)
        #: When, monotonic, a round did all that may be due (0.0: do it again), and whether somebody woke us since.
        self._idle_since = 0.0
        self._woken = False
        self._memory = Memory(store, indexer)
        #: The newest feed row when the indexer was last woken.
        self._head = 0
        self._queues = QueueNotes(store)

    def stop(self) -> None:
        """End `run` soon. From any thread, or a signal handler."""
        self._stop.set()
        self._buffer.wake()
        self.reporter.wake()

    def take_command(self, command: Command) -> None:
        """From the thread that reads stdin."""
        if self._parts is not None:
            self._parts.judge.take_evidence(command.evidence)
        self._queues.take(command.queues, command.samples, command.stalls)
        if not command.samples:  # figures can wait for the next round
            self._buffer.wake()

    def run(self) -> None:
        """Collect until stopped. Broker and store may come and go; both are statuses, not exits.

        Raises:
            SourceError: The broker's transport can't carry events.
            StoreEnded: The process that writes the history has ended.
        """
        if not self._open_store():
            return
        try:
            if self._indexer is not None:
                self._indexer.start(busy=self._is_behind)
            self._collect()
        finally:
            if self._indexer is not None:
                self._indexer.stop()
            self._store.close()

    def _is_behind(self) -> bool:
        """More has come in than one flush takes: what can wait should."""
        return self._buffer.size * _BEHIND_SHARE > self._settings.buffer_bytes

    def _open_store(self) -> bool:
        """Open the history and read from it; nothing is taken from the broker before we are its only writer."""
        while not self._stop.is_set():
            try:
                self._store.open()
                self._parts = self._make_parts()
            except StoreEnded:
                raise
            except StoreError as error:
                self._standby = isinstance(error, StoreLocked)
                self._note_store_error(error, "opened")
                self._stop.wait(STORE_RETRY)
            else:
                self._store_error, self._standby = "", False
                return True
        return False

    def _make_parts(self) -> _Parts:
        settings, store, clock = self._settings, self._store, self._clock
        source = self._make_source()
        gaps = GapBook(store, self._buffer)
        gaps.inherit(self._clock())
        known = store.fetch_workers().values()
        book = WorkerBook(known, grace=settings.worker_grace, limit=settings.max_workers)
        pipeline = Pipeline(
            store,
            self._buffer,
            book,
            decoder=Decoder(
                accept=settings.accept_content, max_message=settings.max_message, max_text=settings.max_text
            ),
            redactor=self._redactor,
            acknowledge=source.acknowledge,
            clock=clock,
            between_chunks=lambda: self._sign.give(pipeline.run_behind),
        )
        watch = Watch(source, settings, clock=clock)
        judge = Judge(store, pipeline, book, watch, settings)
        return _Parts(source, pipeline, gaps, watch, judge, Housekeeping(store, pipeline, book, settings))

    def _collect(self) -> None:
        parts = self._parts
        assert parts is not None
        parts.source.start(
            self._buffer.put,
            parts.gaps.note_outage,
            on_change=self._buffer.wake,
            on_probe=parts.watch.note_probe,
        )
        parts.watch.start()
        try:
            while not self._stop.is_set():
                self._round(parts)
        finally:
            until = time.monotonic() + FINISH_TIME
            parts.watch.stop()
            parts.source.stop()
            self._finish(parts.pipeline, until)
            parts.pipeline.close()
            self._buffer.close()

    def _round(self, parts: _Parts) -> None:
        begun = time.monotonic()
        before = parts.pipeline.events
        idle = self._is_idle(parts, begun)
        try:
            if idle:
                self._store.note_alive(self._clock(), parts.source.proof_at)
                self._memory.look(parts.pipeline.events, parts.keeper.prunes)
            else:
                self._work(parts, begun)
                self._idle_since = begun
                self._memory.look_between(parts.pipeline.events, parts.keeper.prunes)
        except StoreEnded:
            raise
        except StoreError as error:
            self._note_store_error(error, "written")
            self._stop.wait(STORE_RETRY)
            return
        events = parts.pipeline.events - before
        if events or self._store_error:
            self._idle_since = 0.0
        if self._store_error:
            _log.info("The history can be written again.")
            self._store_error = ""
        if idle:
            longest = min(IDLE_SIGN, parts.judge.idle_until - self._clock())
        else:
            longest = STATUS_INTERVAL if parts.keeper.is_idle else REST
        self._woken = self._buffer.wait(max(0.0, longest))
        if self._woken:
            self.reporter.wake()
            self._gather(events, spent=time.monotonic() - begun)

    def _is_idle(self, parts: _Parts, tick: float) -> bool:
        """Nothing has come, and nothing that is written or shown can be otherwise than after the last round."""
        if self._woken or self._store_error or self._buffer.size or tick - self._idle_since >= IDLE_INTERVAL:
            return False
        return parts.keeper.is_idle and self._clock() < parts.judge.idle_until

    def _work(self, parts: _Parts, begun: float) -> None:
        """Do all that may be due in a round that has `begun`. Raises StoreUnavailable."""
        # asked for before: what was read by then is stored when it is judged who is silent
        health = parts.source.health()
        parts.pipeline.flush()
        self._sign.give(parts.pipeline.run_behind)
        self.reporter.note_health(health)
        parts.gaps.write(health, store_failed=bool(self._store_error))
        now = self._clock()
        parts.judge.look(health, now)
        parts.keeper.look_around(now, spent=time.monotonic() - begun)
        self._queues.write()
        head = self._store.get_feed_head()
        if self._indexer is not None and head != self._head:
            # what a round hands over may be stored after it
            self._head = head
            self._indexer.wake()

    def _note_store_error(self, error: StoreError, what: str) -> None:
        if str(error) != self._store_error:
            self.reporter.wake()
            _log.error("The history cannot be %s, next attempt in %.0f s: %s", what, STORE_RETRY, error)
        self._store_error = str(error)

    def _gather(self, events: int, *, spent: float) -> None:
        """Let events gather for one flush: after few, wait little; half full, or at a burst's end, don't wait."""
        left = self._settings.flush_busy - spent if events >= _BUSY else self._settings.flush_idle
        if left > 0:
            self._buffer.gather(left, burst=events >= _BURST)

    def _finish(self, pipeline: Pipeline, until: float) -> None:
        """Store what is still in the buffer, and that we stopped; what is left at the time `until` is lost, and the
        next run's gap begins with it, for the status tells how far behind we were."""
        try:
            while pipeline.flush() and time.monotonic() < until:
                pass
            if self._buffer.size:
                _log.warning(
                    "Stopped with %.0f MB of events not stored, the oldest %.0f s old.",
                    self._buffer.size / 1e6,
                    pipeline.lag,
                )
            self._store.write_status(self.get_status())
        except StoreError as error:
            _log.error("What came last could not be stored: %s", error)

    def get_status(self) -> CollectorStatus:
        """What the collector says of itself now. From any thread."""
        parts = self._parts
        state = SourceState.STOPPED if self._stop.is_set() else SourceState.CONNECTING
        common = CollectorStatus(
            pid=os.getpid(),
            time=self._clock(),
            started=self._started,
            state="standby" if self._standby else str(state),
            broker=self._broker,
            error=self._store_error,
            dropped=self._buffer.dropped,
            buffered_bytes=self._buffer.size,
            store_error=self._store_error,
            stalls=self._queues.stalls,
        )
        if parts is None:
            return common
        health, pipeline = parts.source.health(), parts.pipeline
        # an event waits at the broker first, then here
        lag = health.behind + pipeline.lag
        behind = (
            [] if lag < _BEHIND else [f"Behind by {lag:.0f} s: more has come in than could be stored so far."]
        )
        return msgspec.structs.replace(
            common,
            state=str(health.state),
            proof_at=health.proof_at,
            proof=health.proof,
            last_event_at=pipeline.last_event_at,
            error=health.error or self._store_error,
            events=pipeline.events,
            malformed=dict(pipeline.malformed),
            lag=lag,
            reconnects=health.reconnects,
            feed=self._store.get_feed_head(),
            notices=[*self._store.get_notices(), *behind, *parts.judge.notices],
        )


def main() -> int:
    """Run one collector as told on stdin; the end of stdin ends it."""
    # unbuffered: a buffer's lock, held by the thread that reads commands, would crash the interpreter's exit
    stdin = io.FileIO(sys.stdin.fileno(), closefd=False)
    settings = msgspec.json.decode(stdin.readline(), type=CollectorSettings)
    logging.basicConfig(stream=sys.stderr, format=LOG_FORMAT)
    logging.getLogger("umbel").setLevel(settings.log_level)
    return run(settings, commands=stdin, statuses=sys.stdout.buffer)


def run(
    settings: CollectorSettings, *, commands: io.FileIO | None = None, statuses: IO[bytes] | None = None
) -> int:
    """Collect in this process until SIGTERM, SIGINT or the end of `commands`; return the exit code.

    Args:
        commands: Where `Command` lines come from; None where nobody gives any (`umbel collect`).
        statuses: Where a `CollectorStatus` line goes every second.
    """
    tune_interpreter()
    path = Path(settings.store_path)
    limits = Limits(age=settings.max_age, tasks=settings.max_tasks, bytes=settings.max_bytes)
    redactor = Redactor(settings.redact_names) if settings.redact else None
    # first of all, for it is forked: no thread may run yet, and what is loaded after it is not its memory
    store = start_writer(path, partial(SQLiteWriter, path, limits=limits, buckets=settings.buckets), redactor)
    app = build_app(settings)
    if settings.app_path is not None:
        _log.info("The broker settings are no plain text: the app was loaded from %s.", settings.app_path)
    if not settings.search_index:
        remove_index(path)
    collector = Collector(
        settings,
        store,
        lambda: KombuSource(app, settings, clock=time.time),
        broker=app.connection_for_read().as_uri(),
        redactor=redactor,
        indexer=SearchIndexer(path) if settings.search_index else None,
    )
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: collector.stop())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)  # the parent starts us with both held back
    for work, *arguments in (
        (obey, commands, collector.take_command, collector.stop),
        (collector.reporter.run, statuses, collector.stop),
    ):
        if arguments[0] is not None:
            threading.Thread(target=work, args=arguments, name=f"umbel-{work.__name__}", daemon=True).start()
    try:
        collector.run()
    except (SourceError, StoreEnded) as error:
        _log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
