"""From messages to rows: once each, in bounded transactions, and nothing acknowledged before it is stored."""

import json
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from tests.unit.histories import lives
from tests.unit.memory_history import MemoryHistory
from umbel.errors import StoreUnavailable
from umbel.ingest import intake as intake_module
from umbel.ingest import pipeline as pipeline_module
from umbel.ingest.buffer import Buffer
from umbel.ingest.decode import Decoder
from umbel.ingest.housekeeping import STALE_AFTER, is_due_after
from umbel.ingest.pipeline import Pipeline
from umbel.ingest.source import Message
from umbel.ingest.transitions import fold_changes
from umbel.ingest.workers import WorkerBook
from umbel.model.event import Event
from umbel.model.plain import as_record
from umbel.model.redact import MASK, Redactor
from umbel.model.task import Task
from umbel.store.base import Changes, CounterKey

NOW = 1_790_000_000.0


class Run:
    """A pipeline over a history in memory."""

    def __init__(self, history: MemoryHistory | None = None) -> None:
        self.history = history or MemoryHistory()
        self.buffer = Buffer(10_000_000, clock=lambda: NOW)
        self.book = WorkerBook(self.history.workers.values(), grace=3600, limit=100)
        self.acknowledged: list[int] = []
        self.now = NOW + 1
        self.pipeline = Pipeline(
            self.history,
            self.buffer,
            self.book,
            decoder=Decoder(max_message=1_000_000, max_text=10_000),
            redactor=Redactor(),
            buckets=(0.1, 1.0),
            acknowledge=self.acknowledged.append,
            clock=lambda: self.now,
        )

    def put(self, *events: dict[str, Any], tag: int | None = None) -> None:
        body = json.dumps(list(events) if len(events) > 1 else events[0]).encode()
        assert self.buffer.put([Message(body, "application/json", NOW, tag)])

    def state(self, uuid: str) -> str:
        return self.history.tasks[uuid][0].state


def event(type_: str, uuid: str | None = "t-1", at: float = 0.0, **fields: Any) -> dict[str, Any]:
    base = {"type": type_, "hostname": "celery@a", "pid": 7, "clock": 1, "timestamp": NOW + at}
    return {**base, "uuid": uuid, **fields} if uuid else {**base, **fields}


def whole_life(uuid: str = "t-1") -> list[dict[str, Any]]:
    return [
        event("task-received", uuid, 0, name="shop.pay", args="(1,)", kwargs="{'password': 'x'}"),
        event("task-started", uuid, 1),
        event("task-succeeded", uuid, 2, runtime=0.5, result="3"),
    ]


def test_a_tasks_events_become_one_row_with_its_counters() -> None:
    run = Run()
    run.put(*whole_life(), tag=9)
    assert run.pipeline.flush() == 1

    task = run.history.tasks["t-1"][0]
    assert (task.state, task.name, task.runtime, task.worker) == ("SUCCESS", "shop.pay", 0.5, "celery@a")
    assert task.kwargs == f"{{'password': '{MASK}'}}"
    assert run.history.counters == {
        CounterKey("celery@a", "shop.pay", type_): 1
        for type_ in ("task-received", "task-started", "task-succeeded")
    }
    assert run.history.runtimes == {("celery@a", "shop.pay"): [0, 1, 0, 0.5]}
    assert run.acknowledged == [9]
    assert run.pipeline.events == 3
    assert run.pipeline.lag == 1.0


def test_the_lag_of_a_burst_is_over_when_our_probe_comes_through() -> None:
    run = Run()
    run.put(*whole_life())
    run.now += 30.0
    run.pipeline.flush()
    assert run.pipeline.lag == 31.0
    for _ in range(2):
        run.buffer.put([Message(b'{"type": "umbel-probe"}', "application/json", run.now)])
        run.pipeline.flush()
        run.now += 10.0
        assert run.pipeline.lag == 0.0


def test_the_same_events_again_change_nothing() -> None:
    run = Run()
    for _ in range(3):
        run.put(*whole_life())
        run.pipeline.flush()
    assert set(run.history.counters.values()) == {1}
    assert sum(len(write.tasks) for write in run.history.writes) == 1


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_order_and_splitting_over_flushes_and_restarts_do_not_matter(order: list[int]) -> None:
    run = Run()
    for index in order:
        run.put(whole_life()[index])
        run.pipeline.flush()
        run = Run(run.history)  # a new process remembers nothing but the history
    assert run.state("t-1") == "SUCCESS"
    assert set(run.history.counters.values()) == {1}
    assert {key.task for key in run.history.counters} == {"shop.pay"}


def test_open_tasks_are_remembered_and_need_no_second_look() -> None:
    run = Run()
    run.put(event("task-received"))
    run.pipeline.flush()
    fetched = run.history.fetched
    run.put(event("task-started", at=1))
    run.pipeline.flush()
    assert run.history.fetched == fetched
    assert run.state("t-1") == "STARTED"


def test_a_transaction_holds_a_bounded_number_of_rows() -> None:
    run = Run()
    for number in range(4500):
        run.put(event("task-received", f"t-{number}"))
    run.pipeline.flush()
    assert len(run.history.tasks) == 4500
    assert max(len(write.tasks) for write in run.history.writes) <= pipeline_module.MAX_ROWS


def test_a_store_that_refuses_loses_nothing_and_nothing_is_acknowledged() -> None:
    run = Run()
    run.put(*whole_life(), tag=1)
    run.put(event("worker-heartbeat", None, active=1, freq=2.0), tag=2)
    run.history.broken = True
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            run.pipeline.flush()
    assert run.acknowledged == [] and run.history.tasks == {}

    run.history.broken = False
    run.pipeline.flush()
    assert run.state("t-1") == "SUCCESS"
    assert run.acknowledged == [2]
    assert run.history.counters[CounterKey("celery@a", "", "worker-heartbeat")] == 1
    assert run.history.workers["celery@a"].active == 1


def test_unreadable_messages_are_counted_acknowledged_and_sampled(caplog: pytest.LogCaptureFixture) -> None:
    run = Run()
    for number in range(50):
        run.buffer.put([Message(b"{broken", "application/json", NOW, number)])
    run.buffer.put([Message(b"x", "application/x-python-serialize", NOW, 50)])
    run.pipeline.flush()
    assert run.pipeline.malformed == {"json": 50, "content-type": 1}
    assert run.acknowledged == [50]
    assert len(caplog.records) == 5


def test_one_task_that_cannot_be_stored_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()

    def fussy(steps: Any, *others: Any) -> Any:
        if any(events[0].uuid == "t-bad" for _, events in steps):
            raise ArithmeticError("nobody thought of this")
        return fold_changes(steps, *others)

    monkeypatch.setattr(pipeline_module, "fold_changes", fussy)
    for uuid in ("t-1", "t-bad", "t-2"):
        run.put(*whole_life(uuid))
    run.pipeline.flush()
    assert set(run.history.tasks) == {"t-1", "t-2"}
    assert run.pipeline.malformed == {"internal": 3}


class FussyHistory(MemoryHistory):
    """Breaks over one task, as a rule of a database does that nobody thought of."""

    def write(self, changes: Changes) -> int:
        if any(change.after.uuid == "t-bad" for change in changes.tasks):
            raise ArithmeticError("nobody thought of this")
        return super().write(changes)


def test_one_task_that_the_history_breaks_over_does_not_stop_the_others() -> None:
    run = Run(FussyHistory())
    for uuid in ("t-1", "t-bad", "t-2"):
        run.put(*whole_life(uuid))
    run.put(event("worker-heartbeat", None, active=1, freq=2.0), tag=4)
    run.pipeline.flush()
    assert set(run.history.tasks) == {"t-1", "t-2"}
    assert run.pipeline.malformed == {"internal": 3}
    assert run.history.counters[CounterKey("celery@a", "", "worker-heartbeat")] == 1
    assert run.history.counters[CounterKey("celery@a", "shop.pay", "task-succeeded")] == 2
    assert set(run.history.workers) == {"celery@a"}
    assert run.acknowledged == [4]


def test_chunks_are_written_in_order_after_the_history_was_full(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    monkeypatch.setattr(run.pipeline, "_rows", 1)
    run.history.broken = True
    for uuid in ("t-1", "t-2", "t-1"):
        run.put(*whole_life(uuid)[:2] if uuid == "t-2" else whole_life(uuid))
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            run.pipeline.flush()
    run.put(event("task-succeeded", "t-2", at=2, runtime=0.5), tag=5)
    run.history.broken = False
    run.pipeline.flush()
    assert [run.state("t-1"), run.state("t-2")] == ["SUCCESS", "SUCCESS"]
    assert run.acknowledged == [5]
    assert run.history.counters[CounterKey("celery@a", "shop.pay", "task-succeeded")] == 2


def test_clients_and_beat_are_counted_but_are_no_workers() -> None:
    run = Run()
    run.put(event("task-sent", hostname="gen7@web", queue="celery", name="shop.pay"))
    run.put(event("task-custom", hostname="celerybeat@web"))
    run.pipeline.flush()
    assert run.history.workers == {}
    assert run.history.counters[CounterKey("gen7@web", "shop.pay", "task-sent")] == 1


def test_open_tasks_of_an_ended_run_are_given_up_and_late_truth_still_wins() -> None:
    run = Run()
    run.put(event("task-received", "t-1", name="shop.pay"))
    run.put(event("task-received", "t-2", pid=8))
    run.pipeline.flush()

    tasks = run.history.fetch_open_tasks("celery@a", limit=10)
    assert run.pipeline.give_up(tasks, alive_pid=8, now=NOW + 100) == 1
    assert (run.state("t-1"), run.state("t-2")) == ("UNKNOWN", "RECEIVED")
    assert run.history.tasks["t-1"][0].finished

    run.put(event("task-succeeded", "t-1", at=50))
    run.pipeline.flush()
    assert run.state("t-1") == "SUCCESS"


def test_a_custom_event_of_a_child_process_does_not_make_its_task_of_another_run() -> None:
    run = Run()
    run.put(event("task-started", "t-1"), event("task-progress", "t-1", at=1, pid=99))
    run.pipeline.flush()
    tasks = run.history.fetch_open_tasks("celery@a", limit=10)
    assert run.pipeline.give_up(tasks, alive_pid=7, now=NOW + 100) == 0


def test_only_a_future_eta_keeps_a_stale_task_open() -> None:
    assert STALE_AFTER == 30 * 86400
    assert is_due_after(Task(uuid="a", eta="2100-01-01T00:00:00"), NOW)
    assert not is_due_after(Task(uuid="a", eta="2001-01-01T00:00:00+02:00"), NOW)
    assert not is_due_after(Task(uuid="a", eta="soon"), NOW)
    assert not is_due_after(Task(uuid="a"), NOW)


def test_texts_that_all_events_of_a_task_have_are_held_once(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    seen: list[list[Event]] = []

    def watching(steps: Any, *others: Any) -> Any:
        seen.extend(events for _, events in steps)
        return fold_changes(steps, *others)

    monkeypatch.setattr(pipeline_module, "fold_changes", watching)
    run.put(*whole_life("t-1"))
    run.pipeline.flush()
    (events,) = seen
    assert len(events) >= 3
    assert len({id(event.uuid) for event in events}) == 1
    assert len({id(event.hostname) for event in events}) == len({event.hostname for event in events})


def test_what_comes_of_a_task_that_is_on_its_way_waits_until_it_is_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake_module, "AT_HAND", 1)
    run = Run()
    monkeypatch.setattr(run.pipeline, "_rows", 1)
    late = event("task-sent", at=-1, hostname="gen7@web", queue="late", name="shop.pay")
    for message in (*whole_life("t-1"), *whole_life("t-2"), late, *whole_life("t-3"), whole_life("t-1")[2]):
        run.put(message)
    run.pipeline.flush()
    assert run.history.tasks["t-1"][0].queue == "late"
    assert run.history.counters[CounterKey("celery@a", "shop.pay", "task-succeeded")] == 3
    assert [[change.after.uuid for change in write.tasks] for write in run.history.writes] == [
        ["t-1"],
        ["t-2"],
        ["t-3"],
        ["t-1"],
    ]


class Streams(NamedTuple):
    """Messages of several tasks at once, and what goes wrong meanwhile."""

    messages: list[list[Event]]
    #: Write -> "full": the disk, three times; "rule": the history breaks over it once, whoever is in it.
    faults: dict[int, str]


@st.composite
def streams(draw: st.DrawFn) -> Streams:
    tasks = []
    for number in range(draw(st.integers(1, 4))):
        events = [replace(event, uuid=f"t-{number}") for event in draw(lives(most=3)).events]
        if draw(st.booleans()):
            events += draw(st.lists(st.sampled_from(events), max_size=2))
        tasks.append(draw(st.permutations(events)) if draw(st.booleans()) else events)
    messages = []
    while any(tasks):
        task = draw(st.sampled_from([events for events in tasks if events]))
        size = draw(st.integers(1, 3))
        messages.append(task[:size])
        del task[:size]
    faults = draw(st.dictionaries(st.integers(1, 6), st.sampled_from(["full", "rule"]), max_size=2))
    return Streams(messages, faults)


class FaultyHistory(MemoryHistory):
    """One that fails at some of its writes."""

    def __init__(self, faults: dict[int, str]) -> None:
        super().__init__()
        self._faults = faults
        self._asked = self._full = 0

    def write(self, changes: Changes) -> int:
        self._asked += 1
        fault = self._faults.get(self._asked)
        if self._full or fault == "full":
            self._full = (self._full + 1) % 3
            raise StoreUnavailable("no space left")
        if fault == "rule" and len(changes.tasks) > 1:
            raise ArithmeticError("nobody thought of this")
        return super().write(changes)


@settings(deadline=None)
@given(streams(), st.integers(1, 4), st.integers(1, 3), st.integers(1, 4))
def test_portions_chunks_and_faults_change_nothing_of_what_is_stored(
    stream: Streams, at_hand: int, rows: int, tasks_at_hand: int
) -> None:
    whole, run = Run(), Run(FaultyHistory(stream.faults))
    encode = msgspec.json.Encoder().encode
    for part in (whole, run):
        for number, events in enumerate(stream.messages):
            part.buffer.put([Message(encode(events), "application/json", NOW, number)])
    whole.pipeline.flush()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake_module, "AT_HAND", at_hand)
        patch.setattr(pipeline_module, "ROWS_BEHIND", rows)
        patch.setattr(pipeline_module, "TASKS_AT_HAND", tasks_at_hand)
        run.pipeline._rows = rows
        for _ in range(20):
            try:
                run.pipeline.flush()
                break
            except StoreUnavailable:
                assert run.acknowledged == []
    assert run.acknowledged == [len(stream.messages) - 1]
    assert run.pipeline.malformed == {}
    told, expected = run.history, whole.history
    assert {uuid: astuple(task) for uuid, (task, _) in told.tasks.items()} == {
        uuid: astuple(task) for uuid, (task, _) in expected.tasks.items()
    }
    assert {uuid: as_record(*found) for uuid, found in told.tasks.items()} == {
        uuid: as_record(*found) for uuid, found in expected.tasks.items()
    }
    assert told.counters == expected.counters
    assert seen_runtimes(told) == seen_runtimes(expected)


def seen_runtimes(history: MemoryHistory) -> dict[tuple[str, str], Any]:
    """Counts within each bound, and the sum, where anything was counted: what was taken back leaves zeros."""
    return {
        key: (counts, pytest.approx(total))
        for key, (*counts, total) in history.runtimes.items()
        if any(counts)
    }
