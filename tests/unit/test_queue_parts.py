"""Names of queues, ages of messages, and when a queue rests."""

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from celery import Celery
from kombu import Queue

from tests.unit.memory_reader import MemoryReader
from umbel.brokers.base import QueueFigures
from umbel.brokers.names import DELAYED, fold_delayed, is_internal
from umbel.control.consumers import ASK_EVERY, Consumers, consumed
from umbel.control.inspect import Inspector
from umbel.control.queue_age import LONGEST_PAUSE, Age, FirstSeen, Rest, oldest_of
from umbel.control.queue_names import configured
from umbel.control.switchboard import Switchboard
from umbel.errors import InspectError
from umbel.model.worker import Worker, WorkerStatus


@pytest.mark.parametrize(
    "name",
    [
        "celeryev.0f6c", "celeryev.umbel.1f-2a", "celery@host.celery.pidbox", "amq.gen-x", "bcast.12",
        "0f.reply.celery.pidbox",
    ],
)  # fmt: skip
def test_queues_of_celerys_own_are_not_shown(name: str) -> None:
    assert is_internal(name)


@pytest.mark.parametrize(
    "name", ["celery", "celery.high", "celeryevents", "orders.pidbox.x", "celery_delayed_3"]
)
def test_queues_of_tasks_are_shown(name: str) -> None:
    assert not is_internal(name)


def test_delayed_queues_are_summed_up_as_one() -> None:
    queues = [QueueFigures(name=f"celery_delayed_{n}", messages=n, ready=n, unacked=0) for n in range(28)]
    celery, delayed = fold_delayed([*queues, QueueFigures(name="celery", messages=1)])
    assert (celery.name, delayed.name) == ("celery", DELAYED)
    assert (delayed.messages, delayed.ready, delayed.unacked, delayed.consumers) == (378, 378, 0, None)
    assert len(delayed.folded) == 28


def test_an_age_is_the_time_since_sending_else_at_least_since_it_was_seen() -> None:
    seen = FirstSeen()
    assert seen.ages(["a", "b"], {"a": 90.0}, 100.0) == {"a": Age(10.0, "sent")}
    assert seen.ages(["a", "b"], {"a": 90.0}, 104.0) == {"a": Age(14.0, "sent"), "b": Age(4.0, "first-seen")}


def test_a_time_of_sending_that_lies_ahead_is_not_believed() -> None:
    assert FirstSeen().ages(["a"], {"a": 101.0}, 100.0) == {}


def test_what_was_seen_is_bounded() -> None:
    seen = FirstSeen(most=2)
    seen.ages(["a", "b", "c"], {}, 1.0)
    assert seen.ages(["a", "b", "c"], {}, 2.0).keys() == {"b", "c"}


def test_the_oldest_is_only_sure_when_every_age_is() -> None:
    ages = {"a": Age(5.0, "sent"), "b": Age(9.0, "sent"), "c": Age(2.0, "first-seen")}
    assert oldest_of(["a", "b"], ages) == ("b", Age(9.0, "sent"))
    assert oldest_of(["a", "c"], ages) == ("a", Age(5.0, "first-seen"))
    assert oldest_of(["a", "unseen"], ages) == ("a", Age(5.0, "first-seen"))
    assert oldest_of(["unseen"], ages) is None
    assert oldest_of([], ages) is None


def nobody(_: str) -> int:
    """No consumer has received anything."""
    return 0


def test_a_queue_rests_while_readings_show_the_same() -> None:
    rest = Rest()
    still = QueueFigures(name="q", messages=2, ready=2, oldest=("a",))
    moved = QueueFigures(name="q", messages=2, ready=2, oldest=("b",))
    assert rest.note([still], nobody, 10.0) == {}
    assert rest.note([still], nobody, 15.0) == {"q": 10.0}
    assert rest.note([moved], nobody, 20.0) == {}
    assert rest.note([moved], nobody, 25.0) == {"q": 20.0}


def test_a_queue_whose_consumers_receive_does_not_rest() -> None:
    rest = Rest()
    empty = QueueFigures(name="q", messages=0, ready=0)
    assert rest.note([empty], nobody, 10.0) == {}
    assert rest.note([empty], lambda _: 1, 15.0) == {}
    assert rest.note([empty], lambda _: 1, 20.0) == {"q": 15.0}
    assert rest.note([empty], lambda _: None, 25.0) == {}


def test_nothing_is_said_of_a_time_in_which_nobody_looked() -> None:
    rest = Rest()
    queue = QueueFigures(name="q", messages=0)
    rest.note([queue], nobody, 10.0)
    assert rest.note([queue], nobody, 11.0 + LONGEST_PAUSE) == {}
    assert rest.note([QueueFigures(name="q")], nobody, 80.0) == {}


class AskedInspector(Inspector):
    """Answers at once what a test put into it, and fails where it is told to."""

    def __init__(self) -> None:
        super().__init__(
            Switchboard(Celery("x", set_as_current=False)),
            timeout=1.0,
            fetch_workers=list,
            on_evidence=lambda _: None,
        )
        self.answers: dict[str, dict[str, Any]] = {}
        self.error: Exception | None = None
        self.times_asked = 0

    def get_workers(self) -> dict[str, dict[str, Any]]:
        return self.answers

    def request_queues(self) -> Future[frozenset[str]]:
        self.times_asked += 1
        future: Future[frozenset[str]] = Future()
        if self.error is None:
            future.set_result(frozenset())
        else:
            future.set_exception(self.error)
        return future


def consuming(*names: str) -> dict[str, Any]:
    return {"active_queues": [{"name": name} for name in names]}


class TestConsumers:
    """Living workers are counted; who has not answered makes the count unknown."""

    @pytest.fixture
    def inspector(self) -> Iterator[AskedInspector]:
        inspector = AskedInspector()
        yield inspector
        inspector.stop()

    def counts(
        self, inspector: AskedInspector, *workers: tuple[str, WorkerStatus], ask: bool = True
    ) -> dict[str, int] | None:
        reader = MemoryReader()
        reader.workers = [Worker(hostname=hostname, status=status) for hostname, status in workers]
        consumers = Consumers(inspector, reader)
        if ask:
            consumers.ask()
        found = consumers.fetch()
        return None if found is None else {queue: len(hostnames) for queue, hostnames in found.items()}

    def test_the_living_count(self, inspector: AskedInspector) -> None:
        inspector.answers = {"a": consuming("q", "r"), "b": consuming("q"), "silent": consuming("q")}
        told = self.counts(inspector, ("a", WorkerStatus.ONLINE), ("b", WorkerStatus.LOST))
        assert told == {"q": 2, "r": 1}

    def test_one_that_has_not_answered_makes_it_unknown(self, inspector: AskedInspector) -> None:
        inspector.answers = {"a": consuming("q")}
        assert self.counts(inspector, ("a", WorkerStatus.ONLINE), ("b", WorkerStatus.BUSY_SILENT)) is None
        assert self.counts(inspector, ("a", WorkerStatus.ONLINE), ("b", WorkerStatus.STOPPED)) == {"q": 1}

    def test_none_is_only_known_to_be_none_once_somebody_asked(self, inspector: AskedInspector) -> None:
        assert self.counts(inspector, ask=False) is None
        assert self.counts(inspector) == {}
        inspector.error = InspectError("no broker")
        assert self.counts(inspector) is None

    def test_workers_are_asked_once_in_a_while(self, inspector: AskedInspector) -> None:
        times = iter([100.0, 100.0, 101.0, 100.0 + ASK_EVERY, 100.0 + ASK_EVERY])
        consumers = Consumers(inspector, MemoryReader(), monotonic=lambda: next(times))
        for asked in (1, 1, 2):
            consumers.ask()
            assert inspector.times_asked == asked

    @pytest.mark.parametrize("answer", [None, {"error": "x"}, [None, {"name": 3}, "q"]])
    def test_an_answer_that_is_none_names_no_queue(self, answer: Any) -> None:
        assert consumed({"active_queues": answer}) == set()


def test_queues_come_from_the_configuration_and_its_routes() -> None:
    app = Celery("x", set_as_current=False)
    assert configured(app) == {"celery"}
    app.conf.task_default_queue = "main"
    app.conf.task_routes = {"a.*": {"queue": "a"}, "b": {"queue": Queue("b")}, "c": "no mapping"}
    assert configured(app) == {"main", "a", "b"}
    app.conf.task_queues = [Queue("only")]
    app.conf.task_routes = None
    assert configured(app) == {"only"}
    app.conf.task_queues = {"mapped": {}}
    assert configured(app) == {"mapped"}
