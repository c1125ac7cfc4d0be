"""What is asked of a writer in another process reaches it unchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from tests.unit.histories import EPOCH, Life, event, lives
from umbel.model.event import REDACTED
from umbel.model.fold import fold, project
from umbel.model.plain import tell
from umbel.model.redact import Redactor
from umbel.model.rollup import Tally
from umbel.model.worker import Worker
from umbel.store.base import Changes, CounterKey, TaskChange
from umbel.store.packed import pack_worker
from umbel.store.wire import PackedTasks, decode_changes, encode_changes


@given(st.lists(lives(most=5), min_size=1, max_size=4))
def test_tasks_and_what_is_kept_of_them_come_out_as_they_went_in(found: list[Life]) -> None:
    steps, tally = [], Tally()
    for life in found:
        events = life.events
        first = fold(None, events[:1])
        record = fold(first, events)
        told = tell(events[:1])
        steps.append(TaskChange(None, project(first), first if told is None else told[1]))
        steps.append(TaskChange(project(first), project(record), record))
        tally.add_transition(None, record)
        tally.add_plain(None, project(fold(None, events[:1])))
    changes = Changes(
        tasks=steps,
        workers=[pack_worker(Worker(hostname="celery@a", first_seen=1.5))],
        workers_removed=["celery@gone"],
        tally=tally,
        counters={CounterKey("celery@a", "", "worker-heartbeat"): 3},
    )
    again = decode_changes(encode_changes(changes))
    for step, copy in zip(steps, again.tasks, strict=True):
        assert copy.life == step.life
        assert astuple(copy.after) == astuple(step.after)
        assert (copy.before is None) == (step.before is None)
        if copy.before is not None and step.before is not None:
            assert astuple(copy.before) == astuple(step.before)
    for name in ("workers", "workers_removed", "tally", "counters"):
        assert getattr(again, name) == getattr(changes, name), name
    assert again.tally.totals() == tally.totals()


def test_packed_tasks_are_made_anew_part_by_part_at_each_walk() -> None:
    changes = [
        TaskChange(None, project(record), record)
        for record in [
            fold(None, [event(f"task-{name}", EPOCH, "celery@a", 1)]) for name in ("sent", "started")
        ]
    ]
    packed = PackedTasks()
    packed.extend([])
    packed.extend(changes[:1])
    packed.extend(changes[1:])
    assert len(packed) == len(packed.parts) == 2
    again = decode_changes(encode_changes(Changes(tasks=packed))).tasks
    for walk in (packed, packed, again):
        assert [(astuple(change.after), change.life) for change in walk] == [
            (astuple(change.after), change.life) for change in changes
        ]
    first = next(iter(again))
    assert first in again
    assert TaskChange(None, first.after, changes[1].life) not in again


def test_nothing_comes_out_of_nothing() -> None:
    again = decode_changes(encode_changes(Changes()))
    assert not any((again.tasks, again.workers, again.counters, again.tally.totals().rollups))


def test_raw_tasks_are_masked_by_whoever_walks_through_them() -> None:
    told = tell(
        [event("task-received", EPOCH, "celery@a", 1, name="n", kwargs="{'password': 'hunter2', 'n': 1}")]
    )
    assert told is not None
    raw, clean = TaskChange(None, *told), TaskChange(None, *told)
    packed = PackedTasks(redactor=Redactor())
    packed.extend([raw], raw=True)
    packed.extend([clean])
    data = encode_changes(Changes(tasks=packed))
    assert b"hunter2" in data
    for walk in (packed, packed, decode_changes(data, Redactor()).tasks):
        first, second = (change.after for change in walk)
        assert first.kwargs == "{'password': '[redacted]', 'n': 1}" and first.origin & REDACTED
        assert second.kwargs == clean.after.kwargs, "it was said to be clean"
    with pytest.raises(ValueError, match="nobody to mask"):
        list(decode_changes(data).tasks)


def test_nothing_is_raw_where_nothing_shall_be_masked() -> None:
    told = tell([event("task-received", EPOCH, "celery@a", 1, name="n", kwargs="{'password': 'hunter2'}")])
    assert told is not None
    packed = PackedTasks()
    packed.extend([TaskChange(None, *told)], raw=True)
    (change,) = decode_changes(encode_changes(Changes(tasks=packed))).tasks
    assert change.after.kwargs == "{'password': 'hunter2'}"
