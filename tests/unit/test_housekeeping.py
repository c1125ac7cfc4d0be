"""Retention goes on in portions between flushes, and never holds one up for long."""

from pathlib import Path

import pytest

from tests.unit.memory_history import MemoryHistory
from tests.unit.pipeline_run import NOW, Run, event
from tests.unit.test_idle import Clock, QuietSource
from umbel.errors import StoreUnavailable
from umbel.ingest import housekeeping
from umbel.ingest.collector import Collector
from umbel.ingest.housekeeping import (
    IDLE_PRUNE_INTERVAL,
    LONGEST_PRUNE,
    PORTION,
    PRUNE_INTERVAL,
    REST,
    SHORTEST_PRUNE,
    STALE_AFTER,
    STALE_INTERVAL,
)
from umbel.ingest.settings import CollectorSettings
from umbel.ingest.sign import STATUS_INTERVAL


class PortionedHistory(MemoryHistory):
    """Each run of retention takes so many portions."""

    def __init__(self, portions: int = 1) -> None:
        super().__init__()
        self.portions = self._left = portions
        self.asked: list[float] = []

    def prune_some(self, *, now: float, seconds: float) -> bool:
        self._check()
        self.asked.append(seconds)
        self._left -= 1
        if not self._left:
            self._left = self.portions
            return True
        return False


class Stand:
    """Housekeeping whose monotonic clock is set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, portions: int) -> None:
        self.tick = 1000.0
        monkeypatch.setattr("umbel.ingest.housekeeping.time.monotonic", lambda: self.tick)
        self.history = PortionedHistory(portions)
        self.run = Run(self.history)
        settings = CollectorSettings(celery={}, store_path="history", store_id="x")
        self.keeper = housekeeping.Housekeeping(self.history, self.run.pipeline, self.run.book, settings)

    def look(self, after: float, *, spent: float = 0.0) -> list[float]:
        """What is asked of the history `after` seconds."""
        self.tick += after
        begun = len(self.history.asked)
        self.keeper.look_around(NOW, spent=spent)
        return self.history.asked[begun:]


def test_a_run_of_retention_goes_on_at_each_look_until_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand(monkeypatch, portions=3)
    stand.run.put(event("task-received"))
    stand.run.pipeline.flush()
    assert stand.look(PRUNE_INTERVAL - 1) == [] and stand.keeper.is_idle
    assert len(stand.look(1)) == 1 and not stand.keeper.is_idle
    assert len(stand.look(0.01)) == 1 and not stand.keeper.is_idle and stand.keeper.prunes == 0
    assert len(stand.look(0.01)) == 1 and stand.keeper.is_idle and stand.keeper.prunes == 1
    assert stand.look(PRUNE_INTERVAL - 1) == []


def test_retention_rests_longer_while_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand(monkeypatch, portions=1)
    assert len(stand.look(PRUNE_INTERVAL)) == 1
    assert stand.look(IDLE_PRUNE_INTERVAL - 1) == []
    assert len(stand.look(1)) == 1
    stand.run.put(event("task-received"))
    stand.run.pipeline.flush()
    assert len(stand.look(PRUNE_INTERVAL)) == 1


@pytest.mark.parametrize(("spent", "seconds"), [(0.0, SHORTEST_PRUNE), (0.3, 0.3), (20.0, LONGEST_PRUNE)])
def test_a_portion_takes_as_long_as_the_flush_before_it(
    monkeypatch: pytest.MonkeyPatch, spent: float, seconds: float
) -> None:
    assert Stand(monkeypatch, portions=1).look(PRUNE_INTERVAL, spent=spent) == [seconds]


def test_a_run_that_failed_is_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand(monkeypatch, portions=2)
    stand.look(PRUNE_INTERVAL)
    stand.history.broken = True
    with pytest.raises(StoreUnavailable):
        stand.look(0.1)
    assert stand.keeper.is_idle
    stand.history.broken = False
    assert len(stand.look(0.1)) == 1


def test_tasks_without_evidence_are_given_up_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand(monkeypatch, portions=1)
    for number in range(2 * PORTION + 7):
        stand.run.put(event("task-received", f"old-{number}", at=-STALE_AFTER - 100))
    stand.run.put(event("task-received", "young", at=-STALE_AFTER + 100))
    stand.run.pipeline.flush()

    def count_given_up() -> int:
        return sum(task.state == "UNKNOWN" for task, _ in stand.history.tasks.values())

    seen = []
    for after in (PRUNE_INTERVAL, 0.1, 0.1, STALE_INTERVAL - 1):
        stand.look(after)
        seen.append(count_given_up())
    assert seen == [PORTION, 2 * PORTION, 2 * PORTION + 7, 2 * PORTION + 7]
    stand.run.put(event("task-received", "late", at=-STALE_AFTER - 100))
    stand.run.pipeline.flush()
    stand.look(2)
    assert stand.run.state("late") == "UNKNOWN" and stand.run.state("young") == "RECEIVED"


def test_a_collector_hardly_rests_between_two_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, history = QuietSource(), PortionedHistory(portions=4)
    settings = CollectorSettings(celery={}, store_path=str(tmp_path / "history"), store_id="x")
    collector = Collector(settings, history, lambda: source, broker="", redactor=None, clock=Clock())
    monkeypatch.setattr(housekeeping, "PRUNE_INTERVAL", 0.0)
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return False

    monkeypatch.setattr(collector._buffer, "wait", wait)
    assert collector._open_store()
    assert collector._parts is not None
    for _ in range(4):
        collector._round(collector._parts)
    assert len(history.asked) == 4
    assert waits == [REST, REST, REST, STATUS_INTERVAL]
    collector._parts.pipeline.close()


def test_a_collector_gives_retention_as_long_as_its_flush_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, history = QuietSource(), PortionedHistory()
    settings = CollectorSettings(celery={}, store_path=str(tmp_path / "history"), store_id="x")
    collector = Collector(settings, history, lambda: source, broker="", redactor=None, clock=Clock())
    assert collector._open_store()
    parts = collector._parts
    assert parts is not None
    tick = 1e6

    def flush() -> int:
        nonlocal tick
        tick += 0.25
        return 0

    monkeypatch.setattr("umbel.ingest.collector.time.monotonic", lambda: tick)
    monkeypatch.setattr(collector._buffer, "wait", lambda seconds: False)
    monkeypatch.setattr(parts.pipeline, "flush", flush)
    collector._round(parts)
    assert history.asked == [0.25]
    parts.pipeline.close()
