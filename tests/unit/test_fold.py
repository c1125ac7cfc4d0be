"""The fold is a join: order, duplication and splitting of events never change what is known."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.histories import EPOCH, Life, event, lives
from umbel.model.attempts import attempts
from umbel.model.event import REDACTED, Event
from umbel.model.fold import KEEP_FIRST, KEEP_LAST, fold, join, lost, project, record_of
from umbel.model.rollup import Tally, Totals
from umbel.model.task import Record


def tally(steps: Sequence[tuple[Record | None, Record]]) -> Totals:
    """The totals of these transitions, sums rounded: adding floats in another order moves the last bits."""
    gathered = Tally()
    for before, after in steps:
        gathered.add_transition(before, after)
    totals = gathered.totals()
    for rollup in totals.rollups.values():
        rollup.runtime.sum = round(rollup.runtime.sum, 6)
        rollup.wait.sum = round(rollup.wait.sum, 6)
    return totals


@st.composite
def shuffled(draw: st.DrawFn, life: Life) -> list[Event]:
    """The life's events in any order, some of them several times."""
    extra = draw(st.lists(st.sampled_from(life.events), max_size=6))
    return draw(st.permutations([*life.events, *extra]))


@settings(max_examples=150, deadline=None)
@given(lives(skew=True), st.data())
def test_any_order_and_duplication_ends_in_the_same_record_and_totals(
    life: Life, data: st.DataObject
) -> None:
    straight = fold(None, life.events)
    record: Record | None = None
    steps: list[tuple[Record | None, Record]] = []
    for single in data.draw(shuffled(life)):
        after = fold(record, [single])
        steps.append((record, after))
        record = after
    assert record == straight
    assert project(record) == project(straight)
    assert attempts(record.marks) == attempts(straight.marks)
    assert tally(steps) == tally([(None, straight)])


@settings(max_examples=150, deadline=None)
@given(lives(skew=True), st.data())
def test_splitting_events_between_monitors_and_joining_is_the_same_as_one(
    life: Life, data: st.DataObject
) -> None:
    events = data.draw(shuffled(life))
    parts: list[list[Event]] = [[], [], []]
    for single in events:
        parts[data.draw(st.integers(0, 2))].append(single)
    records = [fold(None, part) for part in parts if part]
    joined = records[0]
    for record in records[1:]:
        assert join(joined, record) == join(record, joined)
        joined = join(joined, record)
    assert joined == fold(None, life.events)


@settings(max_examples=150, deadline=None)
@given(lives(skew=True), st.data())
def test_the_same_events_lost_give_one_answer_whatever_the_order(life: Life, data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.sampled_from(life.events), min_size=1, unique_by=id))
    record = fold(None, kept)
    again = fold(None, data.draw(st.permutations(kept)))
    assert again == record
    assert project(again) == project(record)
    assert tally([(None, again)]) == tally([(None, record)])


@settings(max_examples=150, deadline=None)
@given(lives())
def test_a_complete_history_is_told_as_it_happened(life: Life) -> None:
    record = fold(None, life.events)
    task = project(record)
    runs = attempts(record.marks)
    assert (task.state, task.attempts, len(record.errors)) == (life.state, life.attempts, life.errors)
    assert task.finished
    assert task.redelivered == life.redelivered
    assert [run.retries for run in runs] == list(life.retries)
    assert all(run.received is not None and run.started is not None for run in runs)


def test_the_error_shown_is_the_latest_attempts_though_a_busy_worker_tells_of_its_own_last() -> None:
    events = [
        event("task-received", EPOCH, "celery@a", 1, name="n", retries=0),
        event("task-started", EPOCH + 0.1, "celery@a", 1),
        event("task-received", EPOCH + 0.2, "celery@b", 2, name="n", retries=1),
        event("task-started", EPOCH + 0.3, "celery@b", 2),
        event("task-retried", EPOCH + 0.4, "celery@b", 2, exception="E(1)"),
        event("task-received", EPOCH + 0.5, "celery@b", 2, name="n", retries=2),
        event("task-started", EPOCH + 0.6, "celery@b", 2),
        event("task-succeeded", EPOCH + 0.7, "celery@b", 2, runtime=0.1),
        event("task-retried", EPOCH + 0.8, "celery@a", 1, exception="E(0)"),
    ]
    task = project(fold(None, events))
    assert (task.state, task.attempts, task.exception) == ("SUCCESS", 3, "E(1)")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 10_000), min_size=65, max_size=120, unique=True), st.data())
def test_a_task_with_endless_retries_keeps_its_first_and_last_marks(
    times: list[int], data: st.DataObject
) -> None:
    events = [event("task-retried", EPOCH + t, "celery@a", 1, exception=f"E({t})") for t in times]
    record = fold(None, data.draw(st.permutations(events)))
    ordered = sorted(EPOCH + t for t in times)
    assert [m.time for m in record.marks] == ordered[:KEEP_FIRST] + ordered[-KEEP_LAST:]
    assert [e.time for e in record.errors] == ordered[:KEEP_FIRST] + ordered[-KEEP_LAST:]


def test_totals_stay_when_old_marks_are_dropped() -> None:
    events = [event("task-retried", EPOCH + t, "celery@a", 1, name="n") for t in range(80)]
    record: Record | None = None
    steps: list[tuple[Record | None, Record]] = []
    for single in events:
        after = fold(record, [single])
        steps.append((record, after))
        record = after
    assert tally(steps).counters == {("celery@a", "n", "task-retried"): 80}


def test_a_name_that_comes_late_moves_its_counts() -> None:
    started = fold(None, [event("task-started", EPOCH + 2, "celery@a", 1)])
    known = fold(started, [event("task-received", EPOCH + 1, "celery@a", 1, name="shop.pay")])
    total = tally([(None, started), (started, known)])
    assert total.counters == {
        ("celery@a", "shop.pay", "task-started"): 1,
        ("celery@a", "shop.pay", "task-received"): 1,
    }
    assert {key.label for key in total.rollups if key.kind == "task"} == {"shop.pay"}


def test_a_late_started_event_does_not_reopen_a_finished_task() -> None:
    record = fold(
        None,
        [
            event("task-received", EPOCH, "celery@a", 1),
            event("task-succeeded", EPOCH + 2, "celery@a", 1, result="1"),
            event("task-started", EPOCH + 1, "celery@a", 1),
        ],
    )
    assert (project(record).state, project(record).attempts) == ("SUCCESS", 1)


def test_reject_without_requeue_sends_failed_and_rejected_and_is_one_failed_attempt() -> None:
    record = fold(
        None,
        [
            event("task-received", EPOCH, "celery@a", 1),
            event("task-started", EPOCH + 1, "celery@a", 1),
            event("task-failed", EPOCH + 2, "celery@a", 1, exception="Reject()"),
            event("task-rejected", EPOCH + 2.1, "celery@a", 1, requeue=False),
        ],
    )
    assert (project(record).state, project(record).attempts) == ("FAILURE", 1)


def test_custom_states_and_unknown_events_are_kept_as_they_are() -> None:
    record = fold(
        None,
        [
            event("task-received", EPOCH, "celery@a", 1),
            event("task-started", EPOCH + 1, "celery@a", 1),
            event("task-progress", EPOCH + 2, "celery@a", 1),
        ],
    )
    assert (project(record).state, project(record).finished) == ("PROGRESS", False)


def test_cancelled_is_outranked_by_the_retry_that_it_causes() -> None:
    record = fold(
        None,
        [
            event("task-received", EPOCH, "celery@a", 1),
            event("task-started", EPOCH + 1, "celery@a", 1),
            event("task-cancelled", EPOCH + 3, "celery@a", 1),
            event("task-retried", EPOCH + 2, "celery@a", 1),
        ],
    )
    assert project(record).state == "RETRY"


def test_requeue_ends_the_attempt_and_not_the_task() -> None:
    record = fold(
        None,
        [
            event("task-received", EPOCH, "celery@a", 1),
            event("task-started", EPOCH + 1, "celery@a", 1),
            event("task-rejected", EPOCH + 2, "celery@a", 1, requeue=True),
        ],
    )
    assert (project(record).state, project(record).finished) == ("REJECTED", False)


def test_sent_belongs_to_no_attempt_and_gives_pending() -> None:
    record = fold(None, [event("task-sent", EPOCH, "gen7@web", 7, name="n", queue="q")])
    task = project(record)
    assert (task.state, task.worker, task.client, task.attempts) == ("PENDING", None, "gen7@web", 0)


def test_a_lost_task_is_unknown_until_a_real_end_comes() -> None:
    record = fold(
        None,
        [event("task-received", EPOCH, "celery@a", 1), event("task-started", EPOCH + 1, "celery@a", 1)],
    )
    gone = lost(record, EPOCH + 100)
    assert (project(gone).state, project(gone).finished, project(gone).attempts) == ("UNKNOWN", True, 1)
    late = fold(gone, [event("task-succeeded", EPOCH + 50, "celery@a", 1, result="1")])
    assert project(late).state == "SUCCESS"
    again = fold(gone, [event("task-received", EPOCH + 120, "celery@b", 1)])
    assert (project(again).state, project(again).redelivered) == ("RECEIVED", True)
    assert tally([(None, gone)]) == tally([(None, record)])


def test_waiting_is_measured_without_a_deliberate_eta() -> None:
    plain = [event("task-received", EPOCH, "a", 1), event("task-started", EPOCH + 3, "a", 1)]
    later = [event("task-received", EPOCH, "a", 1, eta="2026-09-01T00:00:00"), plain[1]]
    assert project(fold(None, plain)).wait == 3.0
    assert project(fold(None, later)).wait is None


def test_what_was_done_to_an_event_stays_known() -> None:
    marked = event("task-received", EPOCH, "a", 1)
    marked.origin = REDACTED
    record = join(record_of(marked), record_of(event("task-started", EPOCH + 1, "a", 1)))
    assert project(record).origin == REDACTED


def test_folding_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to fold"):
        fold(None, [])


def test_retries_are_counted_by_what_messages_said_not_by_when() -> None:
    record = fold(
        None,
        [
            event("task-received", EPOCH, "celery@a", 1, retries=0),
            event("task-started", EPOCH, "celery@a", 1),
            event("task-received", EPOCH + 1, "celery@a", 1, retries=1),
            event("task-sent", EPOCH + 2, "gen7@web", 7, retries=0),
        ],
    )
    assert project(record).retries == 1
