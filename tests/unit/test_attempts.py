"""Attempts are told from marks: overlapping, redelivered, and with any of their events lost."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.histories import EPOCH, event
from umbel.model.attempts import attempts
from umbel.model.fold import fold, lost, project


def test_a_retry_received_before_the_old_attempt_says_it_ended_is_not_confused() -> None:
    record = fold(
        None,
        [
            event("task-received", EPOCH, "celery@a", 1, retries=0),
            event("task-started", EPOCH + 1, "celery@a", 1),
            event("task-received", EPOCH + 2, "celery@a", 1, retries=1),
            event("task-retried", EPOCH + 2.1, "celery@a", 1, exception="E"),
            event("task-started", EPOCH + 3, "celery@a", 1),
            event("task-succeeded", EPOCH + 4, "celery@a", 1),
        ],
    )
    runs = attempts(record.marks)
    assert [run.state for run in runs] == ["RETRY", "SUCCESS"]
    assert not project(record).redelivered


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 5), st.sampled_from(["succeeded", "failed", "revoked"]), st.booleans(), st.data())
def test_the_last_event_decides_whatever_was_lost_before_it(
    retries: int, end: str, one_worker: bool, data: st.DataObject
) -> None:
    """On one worker, any events may be missing; on several, any interval in which nobody listened."""
    events = []
    for number in range(retries + 1):
        worker = "celery@a" if one_worker else data.draw(st.sampled_from(["celery@a", "celery@b"]))
        time = EPOCH + 10 * number
        events += [
            event("task-received", time, worker, 1, retries=number),
            event("task-started", time + 1, worker, 1),
            event("task-retried" if number < retries else f"task-{end}", time + 2, worker, 1),
        ]
    *earlier, last = events
    if one_worker:
        kept = [item for item in earlier if data.draw(st.booleans())]
    else:
        start, stop = sorted(data.draw(st.lists(st.integers(0, len(earlier)), min_size=2, max_size=2)))
        kept = earlier[:start] + earlier[stop:]
    task = project(fold(None, [*kept, last]))
    assert task.state == {"succeeded": "SUCCESS", "failed": "FAILURE", "revoked": "REVOKED"}[end]
    assert task.finished
    assert task.attempts <= retries + 1


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 5), st.data())
def test_an_interval_lost_among_overlapping_attempts_does_not_hide_the_end(
    retries: int, data: st.DataObject
) -> None:
    """A worker says that it retried when the next message may have been received, though not yet started."""
    events = []
    for number in range(retries + 1):
        worker = data.draw(st.sampled_from(["celery@a", "celery@b", "celery@c"]))
        time = EPOCH + 2.2 * number
        events += [
            event("task-received", time, worker, 1, retries=number),
            event("task-started", time + 1, worker, 1),
        ]
        if number < retries:
            late = data.draw(st.sampled_from([0.0, 0.5]))
            events.append(event("task-retried", time + 2 + late, worker, 1))
        else:
            end = event("task-succeeded", time + 2, worker, 1)
    events.sort(key=lambda told: told.timestamp)
    start, stop = sorted(data.draw(st.lists(st.integers(0, len(events)), min_size=2, max_size=2)))
    task = project(fold(None, [*events[:start], *events[stop:], end]))
    assert (task.state, task.finished) == ("SUCCESS", True)


def test_a_retry_without_its_receipt_is_not_later_than_what_started_after_it() -> None:
    events = [
        event("task-received", EPOCH + 4.62, "celery@x", 1, retries=2),
        # its receipt was lost
        event("task-started", EPOCH + 4.63, "celery@y", 1),
        event("task-retried", EPOCH + 4.64, "celery@y", 1, exception="E"),
        event("task-started", EPOCH + 5.62, "celery@x", 1),
        event("task-succeeded", EPOCH + 5.63, "celery@x", 1, runtime=0.01),
    ]
    record = fold(None, events)
    assert [(run.worker, run.state) for run in attempts(record.marks)] == [
        ("celery@y", "RETRY"),
        ("celery@x", "SUCCESS"),
    ]
    assert project(record).worker == "celery@x"
    unknown = lost(fold(None, events[:-1]), EPOCH + 99)
    assert (project(unknown).state, project(unknown).worker) == ("UNKNOWN", "celery@x")


def test_a_retry_told_after_the_next_attempt_ended_does_not_hide_that_end() -> None:
    record = fold(
        None,
        [
            event("task-received", EPOCH + 1, "celery@x", 1, retries=1),
            event("task-started", EPOCH + 2, "celery@y", 1),
            event("task-started", EPOCH + 3, "celery@x", 1),
            event("task-failed", EPOCH + 4, "celery@x", 1, exception="E(1)"),
            event("task-retried", EPOCH + 5, "celery@y", 1, exception="E(0)"),
        ],
    )
    task = project(record)
    assert (task.state, task.worker, task.exception) == ("FAILURE", "celery@x", "E(1)")


def test_a_retry_of_which_no_more_came_through_is_its_own_workers() -> None:
    record = fold(
        None,
        [
            event("task-started", EPOCH, "celery@x", 1),
            event("task-retried", EPOCH + 0.3, "celery@y", 1, exception="E(0)"),
            event("task-succeeded", EPOCH + 1, "celery@x", 1, runtime=1.0),
        ],
    )
    runs = [(run.worker, run.state) for run in attempts(record.marks)]
    assert runs == [("celery@y", "RETRY"), ("celery@x", "SUCCESS")]


def test_an_end_goes_to_no_attempt_that_is_known_to_have_been_retried() -> None:
    record = fold(
        None,
        [
            event("task-received", EPOCH, "celery@x", 1, retries=0),
            event("task-started", EPOCH + 1, "celery@x", 1),
            event("task-received", EPOCH + 2, "celery@y", 1, retries=1),
            # of the third attempt no more than this came through
            event("task-succeeded", EPOCH + 9, "celery@x", 1, runtime=1.0),
        ],
    )
    assert [run.state for run in attempts(record.marks)] == ["STARTED", "RECEIVED", "SUCCESS"]
    assert project(record).finished
    assert not project(record).redelivered, "nothing says so"


def test_an_open_attempt_that_was_retried_does_not_take_the_end_of_the_next() -> None:
    record = fold(
        None,
        [
            event("task-received", EPOCH, "celery@a", 1, retries=0),
            event("task-started", EPOCH + 1, "celery@a", 1),
            # task-retried was lost while nobody listened
            event("task-received", EPOCH + 3, "celery@a", 1, retries=1),
            event("task-started", EPOCH + 4, "celery@a", 1),
            event("task-failed", EPOCH + 5, "celery@a", 1, exception="E"),
        ],
    )
    assert [run.state for run in attempts(record.marks)] == ["STARTED", "FAILURE"]
    assert project(record).finished
    assert not project(record).redelivered, "its retry count says that it was retried"


def test_of_a_message_delivered_twice_to_one_worker_the_first_start_takes_the_first_end() -> None:
    record = fold(
        None,
        [
            event("task-received", EPOCH, "celery@a", 1, retries=0),
            event("task-started", EPOCH + 1, "celery@a", 1),
            event("task-received", EPOCH + 3, "celery@a", 1, retries=0),
            event("task-succeeded", EPOCH + 5, "celery@a", 1, runtime=4.0),
        ],
    )
    assert [run.state for run in attempts(record.marks)] == ["SUCCESS", "RECEIVED"]


def test_a_lost_worker_run_ends_the_last_attempt_also_where_an_earlier_one_is_open() -> None:
    record = fold(
        None,
        [
            event("task-received", EPOCH, "celery@a", 1, retries=0),
            event("task-started", EPOCH + 1, "celery@a", 1),
            event("task-received", EPOCH + 3, "celery@a", 1, retries=1),
        ],
    )
    assert project(lost(record, EPOCH + 99)).state == "UNKNOWN"


def test_a_message_received_twice_without_a_retry_is_a_redelivery() -> None:
    record = fold(
        None,
        [
            event("task-received", EPOCH, "celery@a", 1),
            event("task-started", EPOCH + 1, "celery@a", 1),
            event("task-received", EPOCH + 9, "celery@b", 1),
        ],
    )
    task = project(record)
    assert (task.state, task.worker, task.attempts, task.redelivered) == ("RECEIVED", "celery@b", 2, True)


def test_a_start_told_after_the_next_message_was_received_is_the_first_attempts() -> None:
    record = fold(
        None,
        [
            event("task-received", EPOCH, "celery@a", 1, retries=0),
            event("task-started", EPOCH + 1, "celery@a", 1),
            event("task-received", EPOCH + 2, "celery@a", 1, retries=1),
            event("task-retried", EPOCH + 2.1, "celery@a", 1, exception="E"),
            event("task-received", EPOCH + 3.0, "celery@a", 1, retries=2),
            event("task-started", EPOCH + 3.1, "celery@a", 1),
            event("task-retried", EPOCH + 3.2, "celery@a", 1, exception="E"),
            event("task-started", EPOCH + 4, "celery@a", 1),
            event("task-succeeded", EPOCH + 5, "celery@a", 1),
        ],
    )
    runs = attempts(record.marks)
    assert [(run.state, run.retries) for run in runs] == [("RETRY", 0), ("RETRY", 1), ("SUCCESS", 2)]
