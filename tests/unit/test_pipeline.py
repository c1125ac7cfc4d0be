"""From messages to rows: once each, in bounded transactions, and nothing acknowledged before it is stored."""

from typing import Any

import pytest

from tests.unit.pipeline_run import NOW, Run, event, whole_life
from umbel.errors import StoreUnavailable
from umbel.ingest import pipeline as pipeline_module
from umbel.ingest.housekeeping import STALE_AFTER, is_due_after
from umbel.ingest.source import Message
from umbel.ingest.transitions import fold_changes
from umbel.model.event import Event
from umbel.model.redact import MASK
from umbel.model.task import Task
from umbel.store.base import CounterKey


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


def test_the_secrets_of_an_open_task_stay_masked_when_more_is_told_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = Run()
    received, started, succeeded = whole_life()
    run.put(received)
    run.pipeline.flush()
    late = event(
        "task-sent", at=-1, hostname="gen7@web", queue="late", name="shop.pay", kwargs=received["kwargs"]
    )
    for more in (late, started, succeeded):
        run.put(more)
        run.pipeline.flush()
        assert run.history.tasks["t-1"][0].kwargs == "{'password': '[redacted]'}"
    assert run.history.tasks["t-1"][0].queue == "late" and run.state("t-1") == "SUCCESS"
    assert not caplog.records, "what was remembered of it is what is stored, so no chunk was broken up"


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
