"""When a worker is called stalled, and when it must not be."""

from typing import Any

import pytest

from tests.unit.memory_reader import MemoryReader, make_task
from umbel.brokers.base import Capabilities, QueueFigures
from umbel.control.queues import Board, QueueState
from umbel.control.stalls import LONGEST_PAUSE, StallWatch
from umbel.model.worker import Worker, WorkerStatus
from umbel.store.base import CounterKey

NAME, AFTER = "celery@a", 60.0


class Scene:
    """One worker that consumes from `q` and could run two tasks."""

    def __init__(self) -> None:
        self.reader = MemoryReader()
        self.answers: dict[str, dict[str, Any]] = {
            NAME: {"active_queues": [{"name": "q"}], "stats": {"pool": {"max-concurrency": 2}}}
        }
        self.watch = StallWatch(self.reader, lambda: self.answers, after=AFTER)
        self.set_worker()

    def set_worker(self, **changes: Any) -> None:
        known = {"status": WorkerStatus.ONLINE, "processed": 5, "active": 0, "pid": 7, **changes}
        self.reader.workers = [Worker(hostname=NAME, **known)]

    def note(self, at: float, ready: int | None = 3, **figures: Any) -> list[str]:
        state = QueueState(
            figures=QueueFigures(name="q", ready=ready, **figures), marks={}, known_from=("worker",),
            idle_basis=None, oldest=None,
        )  # fmt: skip
        self.watch.note(Board(queues={"q": state}, problems=[], capabilities=Capabilities(), time=at))
        return [stall.worker for stall in self.watch.get()]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_worker_that_starts_nothing_while_its_queue_waits_is_stalled(scene: Scene) -> None:
    assert scene.note(0) == []
    assert scene.note(30) == []
    assert scene.note(60, ready=12, consumers=1) == [NAME]
    (stall,) = scene.watch.get()
    assert (stall.queue, stall.since) == ("q", 0)
    assert stall.evidence == (
        "12 messages wait in 'q', of which it says to be a consumer (which has 1 in all); it runs 0 of 2 tasks "
        "that it could, and started none for 60 s."
    )
    assert scene.note(65, ready=0) == []


def test_a_queue_of_which_only_all_messages_are_known_counts_as_well(scene: Scene) -> None:
    scene.note(0, ready=None, messages=1)
    assert scene.note(60, ready=None, messages=1) == [NAME]


def test_a_reading_that_failed_is_no_empty_queue(scene: Scene) -> None:
    scene.note(0)
    scene.note(30, ready=None)
    assert scene.note(60) == [NAME]


def test_a_queue_that_was_empty_once_is_worked_on(scene: Scene) -> None:
    scene.note(0)
    scene.note(30, ready=0)
    assert scene.note(60) == []
    assert scene.note(119) == []
    assert scene.note(120) == [NAME]


@pytest.mark.parametrize("sign", ["processed", "pid", "events"])
def test_a_start_begins_the_time_anew(scene: Scene, sign: str) -> None:
    scene.note(0)
    if sign == "events":
        scene.reader.counters = {CounterKey(NAME, "t", "task-started"): 1}
    else:
        scene.set_worker(**{sign: 8})
    assert scene.note(59) == scene.note(118) == []
    assert scene.note(119) == [NAME]


@pytest.mark.parametrize(
    "worker",
    [
        {"active": 2},
        {"status": WorkerStatus.LOST},
        {"status": WorkerStatus.STOPPED},
        {"status": WorkerStatus.UNKNOWN},
        # nothing would tell of a start
        {"processed": None},
    ],
)
def test_a_worker_that_is_busy_or_gone_or_tells_nothing_is_not_stalled(
    scene: Scene, worker: dict[str, Any]
) -> None:
    scene.set_worker(**worker)
    assert scene.note(0) == scene.note(60) == scene.note(120) == []


def test_a_silent_worker_may_still_run_what_it_started(scene: Scene) -> None:
    scene.set_worker(status=WorkerStatus.BUSY_SILENT, active=1)
    scene.note(0)
    assert scene.note(60) == [NAME]
    scene.reader.tasks = [make_task(uuid, state="STARTED", worker=NAME) for uuid in "ab"]
    assert scene.note(65) == []


def test_a_worker_that_keeps_to_a_rate_limit_is_not_stalled(scene: Scene) -> None:
    scene.reader.prefetched = {(NAME, "slow"): 4}
    scene.answers[NAME]["registered"] = ["quick", "slow [rate_limit=1/h]"]
    scene.note(0)
    assert scene.note(60) == []
    scene.answers[NAME]["registered"] = ["quick", "slow"]
    assert scene.note(65) == [NAME]


def test_consumers_of_other_queues_are_not_stalled(scene: Scene) -> None:
    scene.answers[NAME]["active_queues"] = [{"name": "other"}]
    assert scene.note(0) == scene.note(60) == []


def test_a_worker_that_did_not_tell_its_pool_is_stalled_only_when_it_runs_nothing(scene: Scene) -> None:
    del scene.answers[NAME]["stats"]
    scene.set_worker(active=1)
    scene.note(0)
    assert scene.note(60) == []
    scene.set_worker(active=0)
    assert scene.note(65) == [NAME]


def test_nothing_is_said_of_a_time_in_which_nobody_read(scene: Scene) -> None:
    scene.note(0)
    assert scene.note(LONGEST_PAUSE + 1) == []
    scene.watch.forget()
    assert scene.note(LONGEST_PAUSE + 50) == []
