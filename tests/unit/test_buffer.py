"""The buffer is bounded in bytes; heartbeats go first; every loss is counted and dated."""

from umbel.ingest.buffer import Buffer
from umbel.ingest.source import Message


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


TASK = b'{"type": "task-sent"}' + b" " * 800
HEARTBEAT = b'{"type": "worker-heartbeat"}'


def message(body: bytes, tag: int | None = None) -> Message:
    return Message(body, "application/json", 1.0, tag)


def test_messages_leave_in_their_order() -> None:
    buffer = Buffer(10_000, clock=Clock())
    assert buffer.put([message(b"%d" % number) for number in range(4)]) == 4
    assert buffer.put([message(b"4")]) == 1
    assert [m.body for m in buffer.take(3)] == [b"0", b"1", b"2"]
    assert [m.body for m in buffer.take(9)] == [b"3", b"4"]
    assert buffer.size == 0
    assert buffer.oldest is None
    assert not buffer.wait(0)


def test_the_oldest_receipt_is_told() -> None:
    buffer = Buffer(10_000, clock=Clock())
    buffer.put([Message(b"a", "application/json", 7.0), Message(b"b", "application/json", 8.0)])
    assert buffer.oldest == 7.0
    buffer.take(1)
    assert buffer.oldest == 8.0


def test_half_full_is_told() -> None:
    buffer = Buffer(4000, clock=Clock())
    buffer.put([message(TASK)])
    assert not buffer.half_full
    buffer.put([message(TASK)])
    assert buffer.half_full


def test_heartbeats_are_dropped_before_task_events_are() -> None:
    buffer = Buffer(4200, clock=Clock())
    assert buffer.put([message(TASK)] * 3) == 3
    small = message(b'{"type": "task-sent"}')
    assert buffer.put([message(small.body + b" " * 500), message(HEARTBEAT), small]) == 3
    assert buffer.dropped == {"overload-heartbeat": 1}
    assert buffer.put([message(b"[" + TASK + b"," + TASK + b"]")]) == 1
    assert buffer.dropped == {"overload-heartbeat": 1, "overload": 2}
    assert [m.body for m in buffer.take(9)] == [TASK, TASK, TASK, small.body + b" " * 500, small.body]


def test_a_batch_is_taken_as_far_as_there_is_room() -> None:
    buffer = Buffer(4200, clock=Clock())
    assert buffer.put([message(TASK)] * 3 + [message(TASK)] * 3) == 6
    assert len(buffer.take(9)) == 6  # an empty buffer takes what comes at once, whatever its size
    buffer.put([message(TASK)])
    assert buffer.put([message(TASK)] * 5) == 5
    assert len(buffer.take(9)) == 4
    assert buffer.dropped == {"overload": 2}


def test_one_message_larger_than_the_buffer_is_taken_when_it_is_empty() -> None:
    buffer = Buffer(1000, clock=Clock())
    buffer.put([message(b"x" * 5000)])
    buffer.put([message(b"x")])
    assert [len(m.body) for m in buffer.take(9)] == [5000]


def test_what_the_broker_keeps_is_refused_without_being_counted() -> None:
    buffer = Buffer(1000, clock=Clock())
    assert buffer.put([message(b"x" * 700, tag=1)]) == 1
    assert buffer.put([message(b"x" * 900, tag=2), message(b"x", tag=3)]) == 0
    assert buffer.dropped == {}
    assert buffer.take_overload(quiet=0) is None
    assert [m.tag for m in buffer.take(9)] == [1]


def test_an_overload_is_told_once_it_is_over() -> None:
    clock = Clock()
    buffer = Buffer(1000, clock=clock)
    buffer.put([message(b"x" * 900)])
    buffer.put([message(b"x" * 900)])
    clock.now = 101.0
    buffer.put([message(b"x" * 900)])
    assert buffer.take_overload(quiet=2.0) is None
    clock.now = 103.5
    assert buffer.take_overload(quiet=2.0) == (100.0, 101.0)
    assert buffer.take_overload(quiet=2.0) is None
