"""The history hears of the collector once a second, whatever else is being written."""

import msgspec
import pytest

from tests.unit.memory_history import MemoryHistory, SlowHistory
from tests.unit.pipeline_run import Run, whole_life
from umbel.errors import StoreUnavailable
from umbel.ingest.sign import STATUS_INTERVAL, Sign
from umbel.store.status import BELIEVED, CollectorStatus, is_believed


class Stand:
    """A sign of life, and how its collector is."""

    def __init__(self, history: MemoryHistory) -> None:
        self.status = CollectorStatus(pid=1, time=10.0, started=1.0, state="connected", events=1)
        self.sign = Sign(history, lambda: self.status, lambda: self.status.time)

    def wait(self, seconds: float, *, events: int = 0) -> None:
        self.status = msgspec.structs.replace(
            self.status, time=self.status.time + seconds, events=self.status.events + events
        )


def test_a_status_is_written_once_a_second_and_only_when_it_is_news(monkeypatch: pytest.MonkeyPatch) -> None:
    history = MemoryHistory()
    alive: list[float] = []
    monkeypatch.setattr(history, "note_alive", lambda now, proof_at: alive.append(now))
    stand = Stand(history)
    stand.sign.give(lambda act: act())
    assert history.status == stand.status
    stand.wait(STATUS_INTERVAL - 0.1, events=1)
    stand.sign.give(lambda act: act())
    assert history.status != stand.status, "too soon"
    stand.wait(0.2)
    stand.sign.give(lambda act: act())
    assert history.status == stand.status
    stand.wait(STATUS_INTERVAL)
    stand.sign.give(lambda act: act())
    assert alive == [stand.status.time]


def test_a_status_is_written_though_the_clock_was_set_back() -> None:
    history = MemoryHistory()
    stand = Stand(history)
    stand.sign.give(lambda act: act())
    stand.wait(-3600, events=1)
    stand.sign.give(lambda act: act())
    assert history.status == stand.status


def test_a_status_from_before_the_clock_was_set_back_is_not_believed() -> None:
    status = CollectorStatus(pid=1, time=100.0, started=1.0, state="connected")
    told = [is_believed(status, now) for now in (100 - BELIEVED - 1, 99.0, 101.0, 100 + BELIEVED + 1)]
    assert told == [False, True, True, False]


def test_a_status_that_could_not_be_written_is_written_the_next_time() -> None:
    history = MemoryHistory()
    stand = Stand(history)

    def fail(act: object) -> None:
        raise StoreUnavailable("the disk is full")

    with pytest.raises(StoreUnavailable):
        stand.sign.give(fail)
    stand.wait(STATUS_INTERVAL)
    stand.sign.give(lambda act: act())
    assert history.status == stand.status


def test_a_sign_of_life_does_not_hold_up_a_flood() -> None:
    history = SlowHistory()
    run = Run(history)
    stand = Stand(history)
    run.pipeline._between_chunks = lambda: stand.sign.give(run.pipeline.run_behind)
    run.put(*whole_life())
    run.pipeline._take()
    run.pipeline._work_off()
    run.pipeline._submit_rest()
    assert history.status is None, "the chunk before it is on its way, and nobody waits for either"
    history.turns.release()
    assert run.pipeline.flush() == 0
    assert run.pipeline._behind.chunks == []
    run.pipeline.close()
    assert history.status == stand.status
