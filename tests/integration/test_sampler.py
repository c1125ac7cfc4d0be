"""The sampler over a real Redis whose readings are counted: how often it asks, and what it gives away."""

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future

import pytest

from tests.apps.queues import make_app
from tests.servers import wait_for
from tests.unit.memory_reader import MemoryReader
from umbel.brokers.base import BrokerInspector, Capabilities, Reading
from umbel.brokers.registry import make_inspector
from umbel.control import sampler as module
from umbel.control.inspect import Inspector
from umbel.control.queues import Queues
from umbel.control.sampler import DEAR, FASTEST, LONGEST, SHARE, SLOWEST, Pace, Sampler, samples_of
from umbel.control.stalls import StallWatch
from umbel.control.switchboard import Switchboard
from umbel.model.queue import QueueSample
from umbel.store.status import CollectorStatus


class CountedBroker(BrokerInspector):
    """A real one, with a count of its readings."""

    def __init__(self, real: BrokerInspector) -> None:
        self.real = real
        self.readings = 0
        self.is_closed = False

    @property
    def capabilities(self) -> Capabilities:
        return self.real.capabilities

    def fetch_queues(self, names: Collection[str]) -> Reading:
        self.readings += 1
        return self.real.fetch_queues(names)

    def fetch_names(self) -> set[str]:
        return self.real.fetch_names()

    def fetch_lengths(self, names: Collection[str]) -> list[dict[str, object]]:
        return self.real.fetch_lengths(names)

    def close(self) -> None:
        self.is_closed = True
        self.real.close()


class Bench:
    """A sampler with all that it needs, by hand instead of by its thread."""

    def __init__(self, url: str) -> None:
        self.app = make_app(url)
        self.broker = CountedBroker(make_inspector(self.app, None))
        self.state = "connected"
        self.sent: list[QueueSample] = []
        self.reader = MemoryReader()
        self.asked = 0
        inspector = Inspector(
            Switchboard(self.app), timeout=0.1, fetch_workers=list, on_evidence=lambda _: None
        )
        inspector.request_queues = self.ask  # type: ignore[method-assign]
        self.queues = Queues(
            self.app, self.broker, inspector, self.reader, remember=lambda _: None, redactor=None
        )
        self.sampler = Sampler(
            self.queues,
            StallWatch(self.reader, inspector.get_workers, after=60.0),
            get_status=lambda: CollectorStatus(pid=1, time=0.0, started=0.0, state=self.state),
            send=self.sent.extend,
        )

    def ask(self) -> Future[frozenset[str]]:
        self.asked += 1
        return Future()

    def age(self, seconds: float) -> None:
        """Let the last reading be older, and so the last look."""
        self.queues._read_at -= seconds
        self.queues._fresh_until -= seconds
        self.queues._looked_at -= seconds

    def send(self, queue: str, count: int) -> None:
        for _ in range(count):
            self.app.send_task("shop.charge", queue=queue)


@pytest.fixture
def bench(redis_url: str) -> Iterator[Bench]:
    bench = Bench(redis_url)
    yield bench
    bench.queues.stop()


def test_a_reading_becomes_samples_in_which_unknown_is_not_zero(bench: Bench) -> None:
    bench.send("orders", 3)
    bench.sampler.sample()
    (celery, orders) = sorted(bench.sent, key=lambda sample: sample.queue)
    assert (orders.queue, orders.messages, orders.unacked) == ("orders", 3, 0)
    # nobody was asked who consumes, and when the message was sent is not known
    assert (orders.consumers, orders.oldest) == (None, None)
    assert (celery.messages, celery.oldest) == (0, 0.0)
    assert orders.seconds == FASTEST
    board = bench.sampler.get_board()
    assert board is not None
    assert board.queues["orders"].figures.ready == 3


def test_nothing_is_read_while_another_monitor_writes(bench: Bench) -> None:
    bench.sampler.sample()
    bench.state = "standby"
    bench.age(60)
    for _ in range(3):
        bench.sampler.sample()
    assert bench.broker.readings == 1
    assert bench.sampler.get_board() is None
    bench.state = "connected"
    bench.sampler.sample()
    assert bench.broker.readings == 2


def test_readings_for_pages_are_used_and_workers_are_asked_for_people_only(bench: Bench) -> None:
    bench.sampler.sample()
    bench.age(60)
    assert (bench.broker.readings, bench.asked) == (1, 0)
    board = bench.queues.request().result(10)
    assert (bench.broker.readings, bench.asked) == (2, 1)
    bench.sampler.sample()
    assert bench.sampler.get_board() is board
    assert bench.broker.readings == 2


def test_the_connection_is_closed_with_the_queues(bench: Bench) -> None:
    bench.sampler.sample()
    assert not bench.broker.is_closed
    bench.queues.stop()
    assert bench.broker.is_closed


def test_queues_at_rest_are_read_ever_more_rarely_and_stored_together(bench: Bench) -> None:
    bench.send("orders", 1)
    pace = bench.sampler._pace
    elapsed = 0.0
    while elapsed < 600:
        bench.age(pace.pause)
        elapsed += pace.pause
        bench.sampler.sample()
    assert bench.broker.readings <= 4 + 600 / SLOWEST
    assert pace.pause >= SLOWEST
    bench.send("orders", 1)
    bench.age(60)
    bench.sampler.sample()
    assert pace.pause < SLOWEST or pace.pause == pytest.approx(LONGEST)
    assert bench.sent[-1].time == bench.sampler.get_board().time  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("notes", "pause"),
    [
        ([{"moves": True}], FASTEST),
        ([{}] * 20, SLOWEST),
        ([{}] * 20 + [{"moves": True}], FASTEST),
        ([{}] * 20 + [{"is_watched": True, "cost": 1.0}], FASTEST),
        ([{"moves": True, "cost": 20 * SHARE}], 20.0),
        ([{"cost": 9.0}], LONGEST),
    ],
)
def test_the_pace_follows_movement_eyes_and_cost(notes: Sequence[dict[str, float]], pause: float) -> None:
    pace = Pace(60.0)
    for note in notes:
        pace.note(**{"moves": False, "is_watched": False, "cost": 0.0, **note})  # type: ignore[arg-type]
    assert pace.pause == pytest.approx(pause)


def test_the_pace_leaves_time_to_find_stalled_workers() -> None:
    pace = Pace(4.0)
    assert pace.pause == 4.0
    for _ in range(20):
        pace.note(moves=False, is_watched=False, cost=0.0)
    assert pace.pause == 4.0
    pace.note(moves=False, is_watched=False, cost=9.0)
    assert pace.pause == pytest.approx(4.0 * DEAR)


def test_the_longest_queues_are_kept_where_there_are_many(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_QUEUES", 2)
    for number, queue in enumerate(("a", "b", "c"), 1):
        bench.send(queue, number)
    bench.sampler.sample()
    board = bench.sampler.get_board()
    assert board is not None
    assert [sample.queue for sample in samples_of(board, 1.0)] == ["c", "b"]


def test_the_thread_samples_by_itself_and_ends(bench: Bench) -> None:
    bench.sampler.start()
    try:
        assert bench.sampler.healthy()
        wait_for(lambda: bench.sent, 10.0)
    finally:
        bench.sampler.stop()
    assert not bench.sampler.healthy()


def test_somebody_who_comes_to_look_shortens_the_pause(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "START_AFTER", 600.0)
    monkeypatch.setattr(bench.sampler._pace, "fastest", 0.6)
    bench.sampler.start()
    try:
        board = bench.queues.request().result(10)
        wait_for(lambda: bench.sampler.get_board() is not None, 10.0)
        assert bench.sampler.get_board() is board or bench.broker.readings > 1
    finally:
        bench.sampler.stop()
