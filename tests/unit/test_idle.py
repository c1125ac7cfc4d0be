"""What is left out while nothing happens is left out without being missed."""

import random
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec
import pytest

from tests.unit.memory_history import MemoryHistory
from tests.unit.test_liveness import LOST, ONLINE, T0, Book, beat, event
from umbel.errors import SourceError
from umbel.ingest.collector import IDLE_SIGN, Collector
from umbel.ingest.memory import MANY, Memory
from umbel.ingest.parent import Reporter, is_news
from umbel.ingest.settings import CollectorSettings
from umbel.ingest.sign import STATUS_INTERVAL
from umbel.ingest.source import Message, OnMessages, Outage, Presence, Source, SourceHealth, SourceState
from umbel.ingest.watch import Watch
from umbel.model.event import Event
from umbel.store.heap import find_trim
from umbel.store.search_indexer import SearchIndexer
from umbel.store.status import CollectorStatus


class Looker:
    """Looks at a book as `ingest.judge` does: at all rows, or only at those that need it."""

    def __init__(self, *, sparing: bool) -> None:
        self.book = Book(limit=5)
        self.looked = 0
        self._sparing = sparing
        self._answers: list[list[str]] = []

    def look(self, now: float, connected_at: float | None) -> tuple[dict[str, object], list[list[str]]]:
        book = self.book
        if not self._sparing or book.begin_look(now=now, connected_at=connected_at):
            self.looked += 1
            book.judge_all(now=now, connected_at=connected_at)
            silent = [] if connected_at is None else book.get_silent(now=now, connected_at=connected_at)
            # nobody is called without a connection
            others = [] if connected_at is None else [book.get_unproven(), book.get_to_call(now=now)]
            self._answers = [
                silent,
                *others,
                book.get_notices(now=now, connected_at=connected_at, enable_events=True),
            ]
            if self._sparing:
                book.end_look()
        return {name: row.status for name, row in book.rows.items()}, self._answers


@pytest.mark.parametrize("seed", range(40))
def test_a_sparing_look_sees_what_a_look_at_all_sees(seed: int) -> None:
    chance = random.Random(seed)
    plain, sparing = Looker(sparing=False), Looker(sparing=True)
    connected_at: float | None = T0
    for second in range(0, 900):
        told: list[Event] = []
        for number in range(6):
            hostname = f"celery@{number}"
            beats = second % 2 == 0 and (second // 90 + number) % 3
            if beats:
                told.append(beat(second + 0.1, hostname=hostname, pid=7 + (second > 400)))
            if chance.random() < 0.005:
                told.append(
                    event(chance.choice(["worker-offline", "task-started"]), second, hostname=hostname)
                )
        gone = frozenset({f"celery@{chance.randrange(6)}"} if chance.random() < 0.01 else ())
        here = frozenset({f"celery@{chance.randrange(6)}"} if chance.random() < 0.01 else ())
        if chance.random() < 0.005:
            connected_at = None if connected_at is not None else T0 + second
        for looker in (plain, sparing):
            looker.book.take(*told)
            looker.book.take_presence(Presence(known=True, absent=gone - here, present=here), T0 + second)
        now = T0 + second + 0.5
        assert sparing.look(now, connected_at) == plain.look(now, connected_at), second
    assert sparing.looked < plain.looked


def test_a_book_tells_until_when_it_needs_no_look() -> None:
    book = Book()
    book.status_at(0)
    assert book.steady_until == float("inf"), "nobody is there"
    book.take(beat(0), beat(2))
    assert book.status_at(3) is ONLINE
    assert book.steady_until == T0 + 2 + 2 * 2 + 5
    assert not book.begin_look(now=T0 + 10, connected_at=T0 - 100)
    assert book.status_at(40) is LOST
    assert book.steady_until < T0 + 40, "nobody has said that it is gone"
    book.take_presence(Presence(known=True, absent=frozenset({"celery@a"})), T0 + 41)
    assert book.status_at(41) is LOST
    assert book.steady_until == T0 + 40 + 600, "its grace"


class QuietSource(Source):
    """Connected or not; remembers what it was told to broadcast."""

    def __init__(self) -> None:
        self.connected_at: float | None = None
        self.said: list[str] = []

    def start(
        self,
        on_messages: OnMessages,
        on_outage: Callable[[Outage], None],
        *,
        on_change: Callable[[], None] = lambda: None,
        on_probe: Callable[[], None] = lambda: None,
    ) -> None: ...

    def stop(self) -> None: ...

    @property
    def proof_at(self) -> float | None:
        return self.connected_at

    def health(self) -> SourceHealth:
        state = SourceState.CONNECTING if self.connected_at is None else SourceState.CONNECTED
        return SourceHealth(state, self.connected_at, "probe", "", 0, self.connected_at)

    def acknowledge(self, tag: int) -> None: ...

    def enable_events(self) -> None:
        if self.connected_at is None:
            raise SourceError("no connection")
        self.said.append("enable")

    def call_heartbeats(self, hostnames: Collection[str] | None = None) -> None:
        self.said.append("roll call" if hostnames is None else f"call {','.join(hostnames)}")

    def fetch_presence(self, silent: Collection[str]) -> Presence:
        self.said.append(f"look for {','.join(silent)}")
        return Presence(known=False)


class Clock:
    now = T0

    def __call__(self) -> float:
        return self.now


def make_collector(folder: Path) -> tuple[QuietSource, Clock, MemoryHistory, Collector]:
    """A collector whose line has been there for 100 s, and what it works with."""
    source, clock, history = QuietSource(), Clock(), MemoryHistory()
    source.connected_at = T0 - 100
    settings = CollectorSettings(celery={}, store_path=str(folder / "history"), store_id="x")
    collector = Collector(settings, history, lambda: source, broker="", redactor=None, clock=clock)
    return source, clock, history, collector


def test_an_idle_collector_wakes_when_a_silence_begins_to_mean_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, clock, _, collector = make_collector(tmp_path)
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        clock.now += seconds
        return False

    monkeypatch.setattr(collector._buffer, "wait", wait)
    assert collector._open_store()
    assert collector._parts is not None
    heartbeat = msgspec.json.encode(beat(0))
    collector._buffer.put([Message(heartbeat, "application/json", T0, None, "worker.heartbeat")])
    for _ in range(4):
        collector._round(collector._parts)
    assert clock.now == T0 + 2 * 2 + 5, "a heartbeat every 2 s, so silence means something after 9"
    assert waits == [STATUS_INTERVAL, STATUS_INTERVAL, IDLE_SIGN, pytest.approx(2)]
    collector._round(collector._parts)
    assert waits[4:] == [STATUS_INTERVAL], "it judges, and does not go on sleeping"
    collector._parts.pipeline.close()


def test_who_is_silent_is_not_judged_by_a_line_that_came_back_after_the_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, clock, history, collector = make_collector(tmp_path)
    monkeypatch.setattr(collector._buffer, "wait", lambda seconds: True)
    assert collector._open_store()
    parts = collector._parts
    assert parts is not None
    heartbeat = msgspec.json.encode(beat(0))
    collector._buffer.put([Message(heartbeat, "application/json", T0, None, "worker.heartbeat")])
    collector._round(parts)
    clock.now += 100
    source.connected_at = None
    flush = parts.pipeline.flush

    def flush_and_hear() -> int:
        taken = flush()
        source.connected_at = T0 - 100  # and what it brings is read, but not stored
        return taken

    monkeypatch.setattr(parts.pipeline, "flush", flush_and_hear)
    collector._round(parts)
    assert history.workers["celery@a"].status != LOST
    clock.now += 2
    collector._round(parts)
    assert history.workers["celery@a"].status == LOST, "it was judged by now"
    parts.pipeline.close()


def test_the_watch_sleeps_while_nobody_is_silent() -> None:
    source, clock = QuietSource(), Clock()
    watch = Watch(source, CollectorSettings(celery={}, store_path="x", store_id="x"), clock=clock)
    watch.note_probe()
    assert source.said == [], "the connection is not proved yet"
    source.connected_at = T0
    watch._look()
    assert source.said == ["enable", "roll call"]
    assert watch._time_to_next() == pytest.approx(60)
    clock.now += 1
    watch.note_probe()
    assert source.said == ["enable", "roll call"], "too soon"
    clock.now += 4
    watch.note_probe()
    assert source.said == ["enable", "roll call", "enable"]
    watch.set_workers(silent=["a"], to_call=["b"])
    assert watch._time_to_next() == pytest.approx(0.05)
    watch._look()
    assert source.said[3:] == ["call b", "look for a"]
    assert watch._time_to_next() == pytest.approx(5)
    source.connected_at = None
    clock.now += 5
    watch.note_probe()


def test_the_watch_goes_on_when_the_clock_was_set_back() -> None:
    source, clock = QuietSource(), Clock()
    watch = Watch(source, CollectorSettings(celery={}, store_path="x", store_id="x"), clock=clock)
    source.connected_at = T0
    watch.set_workers(silent=["a"], to_call=[])
    watch._look()
    clock.now -= 3600
    watch._look()
    watch.note_probe()
    assert source.said == ["enable", "roll call", "look for a", "roll call", "look for a", "enable"]


def test_events_that_are_enabled_by_hand_are_never_enabled() -> None:
    source, clock = QuietSource(), Clock()
    settings = CollectorSettings(celery={}, store_path="x", store_id="x", enable_events=False)
    source.connected_at = T0
    watch = Watch(source, settings, clock=clock)
    watch._look()
    clock.now += 10
    watch.note_probe()
    assert source.said == ["roll call"]


def test_another_proof_of_life_is_no_news() -> None:
    status = CollectorStatus(pid=1, time=5.0, started=1.0, state="connected", proof_at=4.0)
    later = CollectorStatus(pid=1, time=9.0, started=1.0, state="connected", proof_at=8.0)
    assert not is_news(status, later)
    assert is_news(status, CollectorStatus(pid=1, time=9.0, started=1.0, state="blind", proof_at=4.0))
    reporter = Reporter(lambda: status)
    source = QuietSource()
    reporter.note_health(source.health())
    assert reporter._news.is_set()
    reporter._news.clear()
    reporter.note_health(source.health())
    assert not reporter._news.is_set()


class Forgetful(MemoryHistory):
    released = 0

    def release(self) -> None:
        self.released += 1


def test_memory_is_given_back_once_a_burst_is_over_and_indexed(tmp_path: Path) -> None:
    history, indexer = Forgetful(), SearchIndexer(tmp_path / "history.db")
    memory = Memory(history, indexer)
    memory.look(MANY - 1, 0)
    memory.look(MANY, 0)
    assert history.released == 0, "the search index is at work"
    indexer.is_resting = True
    memory.look(MANY, 0)
    memory.look(MANY + 1, 0)
    memory.look(2 * MANY - 1, 0)
    assert history.released == 1
    memory.look(2 * MANY, 0)
    assert history.released == 2
    find_trim()()


def test_memory_is_given_back_after_a_burst_though_events_go_on_coming(tmp_path: Path) -> None:
    history, indexer = Forgetful(), SearchIndexer(tmp_path / "history.db")
    now, taken = 100.0, 0
    memory = Memory(history, indexer, clock=lambda: now)

    def come(seconds: int, events: int, rows: int) -> int:
        """So many a second; return how often memory was given back."""
        nonlocal now, taken
        before = history.released
        for _ in range(seconds * 4):
            now += 0.25
            taken += events // 4
            indexer.passed += rows // 4
            memory.look_between(taken, 0)
        return history.released - before

    assert come(600, 400, 80) == 0, "no burst"
    assert come(30, 5000, 0) == 0
    assert come(40, 40, 1000) == 0, "the search index works on it"
    assert come(30, 40, 8) == 1
    assert come(600, 400, 80) == 0
    assert come(1, 6000, 0) + come(19, 40, 8) == 1
    assert come(1, 6000, 0) == 0
    indexer.is_resting = True
    taken += MANY
    memory.look(taken, 0)
    assert come(30, 40, 8) == 0, "it was idle and gave it back then"


def test_memory_of_a_new_index_and_of_retention_is_given_back_though_nothing_came(tmp_path: Path) -> None:
    history, indexer = Forgetful(), SearchIndexer(tmp_path / "history.db")
    memory = Memory(history, indexer)
    indexer.is_resting = True
    indexer.passed = MANY - 1
    memory.look(5, 0)
    assert history.released == 0
    indexer.passed += 1
    memory.look(5, 0)
    memory.look(5, 0)
    assert history.released == 1
    memory.look(5, 1)
    memory.look(5, 1)
    assert history.released == 2
    without_index = Memory(history, None)
    without_index.look(MANY, 0)
    without_index.look(MANY, 0)
    assert history.released == 3


def test_an_idle_collector_gives_back_what_retention_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, history = QuietSource(), Forgetful()
    source.connected_at = T0 - 100
    settings = CollectorSettings(celery={}, store_path=str(tmp_path / "history"), store_id="x")
    collector = Collector(settings, history, lambda: source, broker="", redactor=None, clock=Clock())
    monkeypatch.setattr(collector._buffer, "wait", lambda seconds: False)
    assert collector._open_store()
    assert collector._parts is not None
    for _ in range(3):
        collector._round(collector._parts)
    assert history.released == 0, "retention is not due"
    monkeypatch.setattr("umbel.ingest.housekeeping.PRUNE_INTERVAL", 0.0)
    collector._idle_since = 0.0
    for _ in range(3):
        collector._round(collector._parts)
    assert history.released == 1
    collector._parts.pipeline.close()


@pytest.mark.parametrize(("events", "over"), [(7_999, False), (8_000, True)])
def test_the_end_of_a_burst_is_stored_once_nothing_more_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: int, over: bool
) -> None:
    settings = CollectorSettings(celery={}, store_path=str(tmp_path / "history"), store_id="x", flush_busy=60)
    collector = Collector(settings, MemoryHistory(), QuietSource, broker="", redactor=None, clock=Clock())
    waits: list[tuple[float, bool]] = []
    monkeypatch.setattr(collector._buffer, "gather", lambda left, *, burst: waits.append((left, burst)))
    monkeypatch.setattr(collector._buffer, "wait", lambda seconds: True)
    assert collector._open_store()
    assert collector._parts is not None
    heartbeat = msgspec.json.encode(beat(0))
    collector._buffer.put([Message(heartbeat, "application/json", T0, None, "worker.heartbeat")] * events)
    collector._round(collector._parts)
    assert [burst for _, burst in waits] == [over]
    assert waits[0][0] > 30
    collector._parts.pipeline.close()


def test_signs_of_life_are_given_with_each_chunk_and_with_each_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = CollectorSettings(celery={}, store_path=str(tmp_path / "history"), store_id="x")
    collector = Collector(settings, MemoryHistory(), QuietSource, broker="", redactor=None, clock=Clock())
    given: list[object] = []
    monkeypatch.setattr(collector._sign, "give", given.append)
    monkeypatch.setattr(collector._buffer, "wait", lambda seconds: False)
    assert collector._open_store()
    assert collector._parts is not None
    heartbeat = msgspec.json.encode(beat(0))
    collector._buffer.put([Message(heartbeat, "application/json", T0, None, "worker.heartbeat")])
    collector._round(collector._parts)
    assert given == [collector._parts.pipeline.run_behind] * 2
    collector._parts.pipeline.close()
