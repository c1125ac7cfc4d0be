"""Marks and stamps survive the way into a row and back, exactly and in little space."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.histories import EPOCH, Life, event, lives
from umbel.model.fold import fold, lost, own_error, project
from umbel.model.plain import as_record, tell
from umbel.model.task import Record
from umbel.store.packing import pack, unpack
from umbel.store.rows import TASK_FIELDS, are_ascii, insert_row, is_steady, task_of


def packed_and_back(record: Record) -> Record:
    task = project(record)
    row = insert_row(task, record, ascii=True)
    assert task_of(row) == task
    return as_record(task, unpack(task, row[len(TASK_FIELDS) + 1]))


@given(life=lives(skew=True), data=st.data())
def test_any_record_comes_back(life: Life, data: st.DataObject) -> None:
    events = data.draw(st.lists(st.sampled_from(life.events), min_size=1, max_size=12))
    record = fold(None, events)
    own = own_error(record)
    assert packed_and_back(record) == msgspec.structs.replace(record, errors=() if own is None else (own,))


def test_custom_and_unknown_marks_come_back() -> None:
    record = fold(None, [
        event("task-progress", EPOCH, "celery@a", 1),
        event("task-received", EPOCH, "", 0, name="n", retries=2**40),
        event("task-sent", EPOCH + 1, "celery@a", 1, queue=""),
        event("task-failed", EPOCH + 2, "celery@c", 1, exception="", traceback=None),
    ])  # fmt: skip
    assert packed_and_back(record) == record
    assert packed_and_back(lost(record, EPOCH + 9)) == lost(record, EPOCH + 9)


def test_registers_whose_marks_are_gone_keep_their_stamps() -> None:
    events = [event("task-received", EPOCH, "celery@a", 1, name="first", args="1")]
    for n in range(100):
        events.append(event("task-received", EPOCH - 100 + n, "celery@a", n, retries=n, kwargs=str(n)))
        events.append(event("task-received", EPOCH + 1 + n, "celery@b", n, retries=n))
    record = fold(None, events)
    assert all(mark.time != record.fields["name"][0] for mark in record.marks)
    assert packed_and_back(record) == record


def test_a_plain_life_comes_back_in_less_space() -> None:
    events = [
        event("task-sent", EPOCH, "gen1@web", 9, name="n", args="()", kwargs="{}", queue="q", retries=0),
        event("task-received", EPOCH, "celery@a", 4711, name="n", args="()", kwargs="{}", retries=0),
        event("task-started", EPOCH + 0.01, "celery@a", 4711),
        event("task-succeeded", EPOCH + 0.05, "celery@a", 4711, runtime=0.04, result="1"),
    ]
    told = tell(events)
    assert told is not None
    row = insert_row(*told, ascii=True)
    assert unpack(task_of(row), row[len(TASK_FIELDS) + 1]) == told[1]
    assert len(row[len(TASK_FIELDS) + 1]) < 32


@given(life=lives(), room=st.integers(1, 300))
def test_room_means_nothing(life: Life, room: int) -> None:
    for events in (life.events, life.events[:2]):
        record = fold(None, events)
        task = project(record)
        assert len(pack(task, record, room)) >= len(pack(task, record)) + room
        assert unpack(task, pack(task, record, room)) == unpack(task, pack(task, record))
        told = tell(events)
        if told is not None:
            assert unpack(told[0], pack(*told, room)) == told[1]


def test_an_ordinary_task_takes_little_space() -> None:
    record = fold(None, [
        event("task-received", EPOCH, "celery@worker1.example.com", 4711, name="n", args="()", kwargs="{}"),
        event("task-started", EPOCH + 0.01, "celery@worker1.example.com", 4711),
        event("task-succeeded", EPOCH + 0.05, "celery@worker1.example.com", 4711, runtime=0.04, result="1"),
    ])  # fmt: skip
    assert len(pack(project(record), record)) < 100


def test_texts_that_sql_cannot_compare_are_known() -> None:
    task = project(fold(None, [event("task-received", EPOCH, "celery@a", 1, name="n", args="plain")]))
    assert are_ascii([task, task])
    for odd in ("é", "nul\0"):
        assert not are_ascii([task, msgspec.structs.replace(task, args=odd)])
        assert not are_ascii([msgspec.structs.replace(task, queue=odd), task])


def test_a_task_is_steady_while_what_it_was_sent_with_stays() -> None:
    received = project(fold(None, [event("task-received", EPOCH, "celery@a", 1, name="n")]))
    assert is_steady(received, msgspec.structs.replace(received, state="SUCCESS", updated=1.0, result="x"))
    assert not is_steady(received, msgspec.structs.replace(received, name="other"))
