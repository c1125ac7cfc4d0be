"""Chunks on their way to the history: in order, stored or taken back whole, acknowledged only once stored."""

import json
import threading
import time
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from tests.unit.histories import lives
from tests.unit.memory_history import MemoryHistory, SlowHistory
from tests.unit.pipeline_run import NOW, Run, event, whole_life
from umbel.errors import StoreUnavailable
from umbel.ingest import intake as intake_module
from umbel.ingest import pipeline as pipeline_module
from umbel.ingest import write_behind as behind_module
from umbel.ingest.chunk import Chunk
from umbel.ingest.source import Message
from umbel.model.event import Event
from umbel.model.fold import fold
from umbel.model.plain import as_record
from umbel.store.base import Changes, CounterKey
from umbel.store.wire import PackedTasks


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
    assert [change.after.uuid for write in run.history.writes for change in write.tasks] == ["t-1", "t-2"]
    assert run.acknowledged == [5]
    assert run.history.counters[CounterKey("celery@a", "shop.pay", "task-succeeded")] == 2


@pytest.mark.parametrize(("length", "chunks"), [(100, 1), (4000, 5)])
def test_long_texts_make_smaller_chunks(monkeypatch: pytest.MonkeyPatch, length: int, chunks: int) -> None:
    monkeypatch.setattr(pipeline_module, "MOST_BYTES", 100_000)
    monkeypatch.setattr(pipeline_module, "TASKS_AT_HAND", 4)
    run = Run()
    for number in range(120):
        failed = event("task-failed", f"t-{number}", at=2, exception="E()", traceback="x" * length)
        run.put(*whole_life(f"t-{number}")[:2], failed)
    run.pipeline.flush()
    assert len(run.history.tasks) == 120
    assert len(run.history.writes) == chunks
    sizes = [sum(len(c.after.traceback or "") for c in write.tasks) for write in run.history.writes]
    assert max(sizes) <= 100_000 + 4 * length


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


def test_a_flush_does_not_wait_for_its_last_chunk_while_more_is_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline_module, "PASS_MESSAGES", 1)
    monkeypatch.setattr(pipeline_module, "LONGEST_FLUSH", -1.0)
    monkeypatch.setattr(behind_module, "ROWS_AHEAD", 1)
    history = SlowHistory()
    run = Run(history)
    for number in (1, 2, 3):
        body = json.dumps(whole_life(f"t-{number}")).encode()
        run.buffer.put([Message(body, "application/json", NOW + number, number)])
    run.now = NOW + 10
    assert run.pipeline.flush() == 1
    assert run.acknowledged == [] and history.tasks == {} and run.pipeline.lag == 9.0

    history.turns.release()
    assert run.pipeline.flush() == 1
    assert run.acknowledged == [1] and set(history.tasks) == {"t-1"}
    run.now = NOW + 20
    assert run.pipeline.lag == 18.0

    history.turns.release(2)
    assert run.pipeline.flush() == 1
    assert run.acknowledged == [1, 2, 3] and set(history.tasks) == {"t-1", "t-2", "t-3"}
    assert run.pipeline.flush() == 0 and run.pipeline.lag == 0.0
    history.turns.release()
    run.put(*whole_life("t-4"))
    run.pipeline.flush()
    assert run.acknowledged == [1, 2, 3]


def test_statuses_are_not_waited_for_while_more_is_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "PASS_MESSAGES", 1)
    monkeypatch.setattr(pipeline_module, "LONGEST_FLUSH", -1.0)
    history = SlowHistory()
    run = Run(history)
    for number in (1, 2):
        run.put(*whole_life(f"t-{number}"))
    run.pipeline.flush()
    run.book.judge_all(now=NOW + 3600, connected_at=NOW)
    assert run.book.has_changes()
    run.pipeline.write_workers()
    assert not run.book.has_changes() and history.workers == {}, (
        "they are on their way, behind the first task"
    )

    history.turns.release(3)
    run.pipeline.flush()
    run.pipeline.flush()
    assert history.workers["celery@a"].status == "lost"
    run.book.judge_all(now=NOW + 3601, connected_at=NOW + 3600)
    assert run.book.has_changes()
    threading.Timer(0.1, history.turns.release).start()
    run.pipeline.write_workers()
    assert history.workers["celery@a"].status == "unknown", "nothing else is to do, so it is waited for"


def test_secrets_are_masked_by_whoever_is_waited_for_least(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    monkeypatch.setattr(run.pipeline, "_rows", 1)
    submit, waits = run.pipeline._behind.submit, [False, True, True, False, False]
    raw: list[list[bool]] = []

    def note(chunk: Chunk) -> bool:
        assert isinstance(chunk.changes.tasks, PackedTasks)
        raw.append([is_raw for is_raw, _ in chunk.changes.tasks.parts])
        submit(chunk)
        return waits[len(raw) - 1]

    monkeypatch.setattr(run.pipeline._behind, "submit", note)
    for number in range(5):
        run.put(*whole_life(f"t-{number}"))
    run.pipeline.flush()
    assert raw == [[True], [True], [False], [False], [True]], (
        "once the writer is waited for, the pipeline masks"
    )
    assert [run.history.tasks[f"t-{number}"][0].kwargs for number in range(5)] == [
        "{'password': '[redacted]'}"
    ] * 5


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
        time.sleep(0.0005)  # as a disk does, so that what comes next finds it on its way
        return super().write(changes)


@settings(deadline=None)
@given(
    streams(),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from([-1, 9]),
)
def test_portions_chunks_and_faults_change_nothing_of_what_is_stored(
    stream: Streams, at_hand: int, rows: int, tasks_at_hand: int, taken: int, longest: float
) -> None:
    whole, run = Run(), Run(FaultyHistory(stream.faults))
    encode = msgspec.json.Encoder().encode
    for part in (whole, run):
        for number, events in enumerate(stream.messages):
            part.buffer.put([Message(encode(events), "application/json", NOW + number, number)])
    whole.pipeline.flush()
    last = len(stream.messages) - 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake_module, "AT_HAND", at_hand)
        patch.setattr(pipeline_module, "ROWS_BEHIND", rows)
        patch.setattr(pipeline_module, "TASKS_AT_HAND", tasks_at_hand)
        patch.setattr(pipeline_module, "PASS_MESSAGES", taken)
        # below 0 a flush ends after one pass, with its last chunk on its way while more is waiting
        patch.setattr(pipeline_module, "LONGEST_FLUSH", longest)
        run.pipeline._rows = rows
        run.now = NOW + 100
        for _ in range(60):
            known = len(run.acknowledged)
            try:
                run.pipeline.flush()
            except StoreUnavailable:
                pass
            for tag in run.acknowledged[known:]:
                assert_stored(run.history, stream.messages[: tag + 1])
            if run.acknowledged[-1:] == [last]:
                break
            assert run.pipeline.lag >= 100 - min(run.acknowledged[-1:] or [-1]) - 1
    assert run.acknowledged[-1] == last
    assert run.acknowledged == sorted(set(run.acknowledged))
    assert longest < 0 or len(run.acknowledged) == 1
    assert run.pipeline.lag == 100 - last
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


def assert_stored(history: MemoryHistory, messages: list[list[Event]]) -> None:
    """The history knows all that these messages say."""
    by_task: dict[str, list[Event]] = {}
    for events in messages:
        for told in events:
            by_task.setdefault(told.uuid or "", []).append(told)
    for uuid, told_of in by_task.items():
        assert set(fold(None, told_of).marks) <= set(as_record(*history.tasks[uuid]).marks)


def seen_runtimes(history: MemoryHistory) -> dict[tuple[str, str], Any]:
    """Counts within each bound, and the sum, where anything was counted: what was taken back leaves zeros."""
    return {
        key: (counts, pytest.approx(total))
        for key, (*counts, total) in history.runtimes.items()
        if any(counts)
    }
