"""When a worker is called stalled, and when it must not be."""

from typing import Any

import pytest

from tests.unit.memory_reader import MemoryReader, make_task
from umbel.brokers.base import Capabilities, QueueFigures
from umbel.control.queues import Board, QueueState
from umbel.control.stalls import LATE, LEAD, LONGEST_PAUSE, StallWatch
from umbel.model.worker import Worker, WorkerStatus
from umbel.store.base import CounterKey

NAME, AFTER = "celery@a", 60.0
#: The moment 0 of these tests.
BEGIN = 1_780_000_000.0


class Scene:
    """One worker that consumes from `q` and could run two tasks."""

    def __init__(self) -> None:
        self.reader = MemoryReader()
        self.answers: dict[str, dict[str, Any]] = {
            NAME: {"active_queues": [{"name": "q"}], "stats": {"pool": {"max-concurrency": 2}}}
        }
        self.asked: list[list[str]] = []
        self.due: float | None = None
        self.make_watch(AFTER)
        self.set_worker()

    def make_watch(self, after: float) -> None:
        self.watch = StallWatch(
            self.reader, lambda: self.answers, after=after, ask=lambda names: self.asked.append(list(names))
        )

    def set_worker(self, **changes: Any) -> None:
        known = {"status": WorkerStatus.ONLINE, "processed": 5, "active": 0, "pid": 7, **changes}
        self.reader.workers = [Worker(hostname=NAME, **known)]

    def note(self, at: float, ready: int | None = 3, read: float | None = None, **figures: Any) -> list[str]:
        """Judge at a moment by a reading made then, or at `read`."""
        state = QueueState(
            figures=QueueFigures(name="q", ready=ready, **figures), marks={}, known_from=("worker",),
            idle_basis=None, oldest=None,
        )  # fmt: skip
        time = BEGIN + (at if read is None else read)
        board = Board(queues={"q": state}, problems=[], capabilities=Capabilities(), time=time)
        due = self.watch.note(board, BEGIN + at)
        self.due = None if due is None else due - BEGIN
        return [stall.worker for stall in self.watch.get()]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_worker_that_starts_nothing_while_its_queue_waits_is_stalled(scene: Scene) -> None:
    assert scene.note(0) == []
    assert scene.note(30) == []
    assert scene.note(60, ready=12, consumers=1) == [NAME]
    (stall,) = scene.watch.get()
    assert (stall.queue, stall.since) == ("q", BEGIN)
    assert stall.evidence == (
        "12 messages wait in 'q', of which it says to be a consumer (which has 1 in all); it runs 0 of 2 tasks "
        "that it could, and started none for at least 60 s."
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
    # it may have filled up right after 30, or at most half the time before it was seen
    assert scene.note(87) == []
    assert scene.note(89) == [NAME]


@pytest.mark.parametrize("sign", ["processed", "pid", "events"])
def test_a_start_begins_the_time_anew(scene: Scene, sign: str) -> None:
    scene.note(0)
    if sign == "events":
        scene.reader.counters = {CounterKey(NAME, "t", "task-started"): 1}
    else:
        scene.set_worker(**{sign: 8})
    # it may have been at any moment since 0, of which half the time at most is counted
    assert scene.note(59) == scene.note(87) == []
    assert scene.note(89) == [NAME]


@pytest.mark.parametrize(
    "worker",
    [
        {"active": 2},
        {"status": WorkerStatus.LOST},
        {"status": WorkerStatus.STOPPED},
        {"status": WorkerStatus.UNKNOWN},
        # nothing would tell of a start
        {"processed": None},
        {"freq": 30.0},
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


@pytest.mark.parametrize("step", [1.0, 5.0, 15.0])
@pytest.mark.parametrize("after", [20.0, 60.0, 600.0])
def test_a_stall_is_told_in_time_however_readings_fall(scene: Scene, step: float, after: float) -> None:
    scene.make_watch(after)
    step = min(step, scene.watch.longest_step)
    for offset in (0.01, step / 2, step - 0.01):
        scene.watch.forget()
        at = told = 0.0
        while not told and at < 3 * after:
            # messages wait from `offset` on, and the broker's statistics are 7 s late
            told = at if scene.note(at, ready=3 if at >= offset + 7.0 else 0) else 0.0
            at = min(at + step, scene.due or at + step)
        assert after * 0.5 <= told <= offset + after


def test_the_next_judgement_is_asked_for_in_time_for_the_first_suspect(scene: Scene) -> None:
    scene.note(0, ready=0)
    assert scene.due is None
    scene.note(10)
    due = 0 - LATE + AFTER - LEAD
    assert scene.due == pytest.approx(due)
    assert scene.note(due, read=50) == [NAME]
    assert scene.due is None


def test_a_suspect_is_asked_once_whether_it_is_still_what_it_said(scene: Scene) -> None:
    scene.note(0)
    assert scene.asked == []
    scene.note(30)
    scene.note(35)
    assert scene.asked == [[NAME]]
    # smaller than it was: it runs all that it can
    scene.answers[NAME]["stats"] = {"pool": {"max-concurrency": 1}}
    scene.set_worker(active=1)
    assert scene.note(60) == []
    scene.note(65, ready=0)
    scene.note(70)
    scene.note(100)
    assert scene.asked == [[NAME]] * 2


def test_a_worker_that_left_a_queue_to_nobody_is_stalled(scene: Scene) -> None:
    scene.note(0, ready=0)
    scene.answers[NAME]["active_queues"] = [{"name": "other"}]
    scene.note(5)
    assert scene.note(60) == [NAME]
    assert "of which it was a consumer, and nobody is any more" in scene.watch.get()[0].evidence
    # the broker knows of somebody else, or a worker has not told yet, or another one does it now
    assert scene.note(65, consumers=1) == []
    scene.reader.workers.append(Worker(hostname="celery@b", status=WorkerStatus.ONLINE, processed=1))
    assert scene.note(125) == []
    scene.answers["celery@b"] = {"active_queues": [{"name": "q"}]}
    scene.set_worker()
    scene.reader.workers.append(
        Worker(hostname="celery@b", status=WorkerStatus.ONLINE, processed=1, active=1)
    )
    assert scene.note(130) == scene.note(190) == []


def test_a_restarted_worker_left_no_queue(scene: Scene) -> None:
    scene.answers[NAME]["stats"]["pid"] = 7
    scene.note(0, ready=0)
    scene.answers[NAME] = {"active_queues": [{"name": "other"}], "stats": {"pid": 8}}
    scene.note(11, ready=0)
    assert scene.note(15) == scene.note(70) == scene.note(100) == []


def test_nothing_is_said_of_a_time_in_which_nobody_read(scene: Scene) -> None:
    scene.note(0)
    assert scene.note(LONGEST_PAUSE + 1) == []
    scene.watch.forget()
    assert scene.note(LONGEST_PAUSE + 50) == []
