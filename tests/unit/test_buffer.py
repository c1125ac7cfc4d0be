"""The buffer is bounded in bytes, and in overload gives up least what matters most; every loss is counted and dated."""

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from umbel.ingest import buffer as buffer_module
from umbel.ingest.buffer import BURST_BYTES, BURST_PAUSE, FEW_BYTES, Buffer
from umbel.ingest.source import Message
from umbel.ingest.spool import Spool


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


LIMIT = 100_000
TEXT = "x" * 300
#: What a message costs beside its body.
OVERHEAD = 200


def message(body: bytes, tag: int | None = None, *, key: str = "task.multi", at: float = 100.0) -> Message:
    return Message(body, "application/json", at, tag, key)


def task(number: int = 1, type_: str = "task-received", tag: int | None = None, **fields: Any) -> Message:
    event = {"type": type_, "uuid": f"u-{number:x}", "args": TEXT, "kwargs": TEXT, "timestamp": 1.0, **fields}
    return message(json.dumps(event).encode(), tag, key="task.received")


def heartbeat(number: int = 1, at: float = 100.0) -> Message:
    event = {"hostname": f"celery@w{number}", "type": "worker-heartbeat"}
    return message(json.dumps(event).encode(), key="worker.heartbeat", at=at)


def filled(share: float, clock: Clock | None = None) -> Buffer:
    """A buffer filled to this share with what the broker keeps, so that nothing of it is thinned."""
    buffer = Buffer(LIMIT, clock=clock or Clock())
    body = b"y" * (int(LIMIT * share) - OVERHEAD)
    assert buffer.put([message(body, tag=1)]) == 1
    assert buffer.size == int(LIMIT * share)
    return buffer


def rest(buffer: Buffer) -> list[bytes]:
    """The bodies behind that of `filled`."""
    return [message.body for message in buffer.take(1000)][1:]


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
    buffer.put([message(b"a", at=7.0), message(b"b", at=8.0)])
    assert buffer.oldest == 7.0
    buffer.take(1)
    assert buffer.oldest == 8.0


def test_half_full_is_told() -> None:
    assert not filled(0.49).half_full
    assert filled(0.5).half_full


def test_below_three_quarters_everything_is_taken_as_it_is() -> None:
    buffer = filled(0.7)
    sent = [task(1), heartbeat(1), heartbeat(1)]
    bodies = [message.body for message in sent]
    assert buffer.put(sent) == 3
    assert rest(buffer) == bodies
    assert buffer.dropped == {}


def test_from_three_quarters_on_one_heartbeat_of_a_worker_is_kept_in_five_seconds() -> None:
    buffer = filled(0.76)
    beats = [heartbeat(worker, at) for at in (100.0, 102.0, 104.0, 106.0) for worker in (1, 2)]
    assert buffer.put([*beats, task(1)]) == 9
    assert rest(buffer) == [beats[0].body, beats[1].body, beats[6].body, beats[7].body, task(1).body]
    assert buffer.dropped == {"overload-heartbeat": 4}


def test_heartbeats_are_kept_after_the_clock_was_set_back() -> None:
    buffer = filled(0.76)
    beats = [heartbeat(1, at) for at in (3600.0, 100.0, 102.0)]
    assert buffer.put(beats) == 3
    assert rest(buffer) == [beats[0].body, beats[1].body]


def test_from_nine_tenths_on_tasks_lose_their_texts_but_for_a_sample() -> None:
    buffer = filled(0.905)
    pair = json.dumps(
        [json.loads(task(1).body), json.loads(task(2, "task-started", args=None, kwargs=None).body)]
    )
    failed = task(3, "task-failed", exception="E()", traceback="T", args=None, kwargs=None)
    sampled = task(0x20)
    assert buffer.put([task(1), message(pair.encode()), failed, sampled]) == 4
    found = [json.loads(body) for body in rest(buffer)]
    assert found[0] == {"type": "task-received", "uuid": "u-1", "timestamp": 1.0}
    assert [event["type"] for event in found[1]] == ["task-received", "task-started"]
    assert "args" not in found[1][0]
    assert found[2:] == [json.loads(failed.body), json.loads(sampled.body)]
    assert buffer.dropped == {"overload-detail": 2}


@pytest.mark.parametrize("body", [b"", b"{", b"[1, null]", b'"text"', b'{"args": NaN}', b"\xff", b"[" * 1000])
def test_what_cannot_be_thinned_is_taken_as_it_is(body: bytes) -> None:
    buffer = filled(0.95)
    assert buffer.put([message(body)]) == 1
    assert rest(buffer) == [body]
    assert buffer.dropped == {}


def test_a_full_buffer_drops_tasks_but_still_hears_that_workers_live() -> None:
    buffer = filled(0.999)
    offline = message(b'{"type": "worker-offline"}', key="worker.offline")
    two = message(b"[" + task(1).body + b"," + task(2).body + b"]")
    assert buffer.put([task(3), two, heartbeat(1), heartbeat(1), offline]) == 5
    assert rest(buffer) == [heartbeat(1).body, offline.body]
    assert buffer.dropped == {"overload": 3, "overload-heartbeat": 1}


def test_what_workers_say_of_themselves_has_an_end_as_well() -> None:
    buffer = filled(0.999)
    workers = 1000
    assert buffer.put([heartbeat(number) for number in range(workers)]) == workers
    assert LIMIT < buffer.size <= LIMIT * 1.05
    kept = len(rest(buffer))
    assert buffer.dropped == {"overload": workers - kept}


def test_room_that_is_made_is_used_again() -> None:
    buffer = filled(0.999)
    buffer.put([task(1)])
    buffer.take(1)
    assert buffer.put([task(2), heartbeat(1)]) == 2
    assert [m.body for m in buffer.take(9)] == [task(2).body, heartbeat(1).body]
    assert buffer.dropped == {"overload": 1}


def test_one_message_larger_than_the_buffer_is_taken_when_it_is_empty() -> None:
    buffer = Buffer(1000, clock=Clock())
    assert buffer.put([message(b"x" * 5000), message(b"x")]) == 2
    assert [len(m.body) for m in buffer.take(9)] == [5000]
    assert buffer.dropped == {"overload": 1}


def test_what_the_broker_keeps_is_refused_without_being_counted() -> None:
    buffer = Buffer(1000, clock=Clock())
    assert buffer.put([message(b"x" * 700, tag=1)]) == 1
    assert buffer.put([message(b"x" * 900, tag=2), message(b"x", tag=3)]) == 0
    assert buffer.dropped == {}
    assert buffer.take_overload(quiet=0) is None
    assert [m.tag for m in buffer.take(9)] == [1]


def test_what_the_broker_keeps_is_taken_whole_as_far_as_there_is_room() -> None:
    buffer = filled(0.95)
    sent = [task(number, tag=number) for number in range(1, 11)]
    dealt = buffer.put(sent)
    assert 0 < dealt < 10
    assert rest(buffer) == [message.body for message in sent[:dealt]]
    assert buffer.put(sent[dealt:]) == 10 - dealt
    assert buffer.dropped == {}


def test_an_overload_is_told_once_it_is_over() -> None:
    clock = Clock()
    buffer = filled(0.999, clock)
    buffer.put([task(1)])
    clock.now = 101.0
    buffer.put([task(2)])
    assert buffer.take_overload(quiet=2.0) is None
    clock.now = 103.5
    assert buffer.take_overload(quiet=2.0) == (100.0, 101.0)
    assert buffer.take_overload(quiet=2.0) is None
    buffer.put([task(3)])
    clock.now = 3.5
    assert buffer.take_overload(quiet=2.0) == (103.5, 103.5), "the clock was set back"


def test_a_burst_goes_to_disk_and_comes_back_in_its_order(tmp_path: Path) -> None:
    with closing(Spool(tmp_path, 1_000_000)) as spool:
        buffer = Buffer(LIMIT, clock=Clock(), spool=spool)
        sent = [task(number) for number in range(300)]
        for start in range(0, 300, 20):
            assert buffer.put(sent[start : start + 20]) == 20
        assert buffer.size > LIMIT
        assert buffer.half_full
        assert spool.size
        taken: list[Message] = []
        while buffer.size:
            assert buffer.wait(0)
            assert buffer.oldest == 100.0
            taken += buffer.take(50)
        assert [m.body for m in taken] == [m.body for m in sent]
        assert buffer.dropped == {}
        assert not buffer.wait(0)
        assert buffer.oldest is None


def test_with_the_disk_full_less_and_less_is_kept_in_memory(tmp_path: Path) -> None:
    with closing(Spool(tmp_path, 2000)) as spool:
        buffer = Buffer(LIMIT, clock=Clock(), spool=spool)
        for number in range(300):
            buffer.put([task(number)])
        assert set(buffer.dropped) == {"overload-detail", "overload"}
        assert buffer.size < LIMIT * 1.05 + 2000


def test_what_the_broker_keeps_does_not_go_to_disk(tmp_path: Path) -> None:
    with closing(Spool(tmp_path, 1_000_000)) as spool:
        buffer = Buffer(LIMIT, clock=Clock(), spool=spool)
        assert buffer.put([task(number, tag=number) for number in range(300)]) < 300
        assert spool.size == 0


def test_large_messages_are_taken_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer_module, "TAKEN_BYTES", 1_600_000)
    large = 600_000
    with closing(Spool(tmp_path, 10_000_000)) as spool:
        buffer = Buffer(3_000_000, clock=Clock(), spool=spool)
        for number in range(8):
            assert buffer.put([message(b"%d" % number + b"x" * large)]) == 1
        assert spool.size
        counts = []
        while buffer.size:
            counts.append(len(buffer.take(100)))
        assert counts == [3, 3, 2]


def test_heartbeats_wait_for_company_and_tasks_do_not() -> None:
    buffer = Buffer(LIMIT, clock=Clock())
    buffer.put([heartbeat(1), message(b"{}", key="umbel.probe")])
    assert not buffer.wait(0)
    buffer.put([message(b"{}", tag=3, key="umbel.probe")])
    assert buffer.wait(0), "RabbitMQ waits for its acknowledgement"
    assert len(buffer.take(10)) == 3
    assert not buffer.wait(0)
    buffer.put([heartbeat(1), task()])
    assert buffer.wait(0)


def test_a_buffer_half_full_of_heartbeats_does_not_wait() -> None:
    buffer = Buffer(1_000, clock=Clock())
    buffer.put([heartbeat(1)])
    buffer.gather(0, burst=False)
    assert not buffer.half_full
    buffer.put([heartbeat(2)])
    assert buffer.half_full
    assert buffer.wait(0)
    buffer.gather(60, burst=False)
    buffer.take(10)
    assert not buffer.half_full
    buffer.wake()
    buffer.gather(60, burst=False)


def test_in_a_burst_what_gathers_is_waited_for_until_it_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = Buffer(1_000_000, clock=Clock())
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        if len(waits) <= 3:
            buffer.put([task(len(waits))])
        return False

    monkeypatch.setattr(buffer._half, "wait", wait)
    buffer.gather(60, burst=True)
    assert waits == [BURST_PAUSE] * 4, "three times something came, and then nothing"
    assert len(buffer.take(10)) == 3


def test_what_came_while_it_gathers_may_be_a_burst_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = Buffer(100_000_000, clock=Clock())
    pauses = 0

    def wait(seconds: float) -> bool:
        nonlocal pauses
        pauses += 1
        assert seconds == BURST_PAUSE
        if pauses == 1:
            buffer.put([message(b" " * FEW_BYTES)])
        elif pauses == 5:
            buffer.put([message(b" " * (BURST_BYTES - FEW_BYTES - 2_000))])
        elif pauses == 8:
            buffer.put([message(b" " * 2_000)])
        return False

    monkeypatch.setattr(buffer._half, "wait", wait)
    buffer.gather(60, burst=False)
    assert pauses == 9, "few may be a worker's own pace, so no pause ends the wait; many are not"


def test_few_are_waited_for_without_a_look_at_every_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = Buffer(100_000_000, clock=Clock())
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        buffer.put([task(len(waits))])
        return len(waits) == 2

    monkeypatch.setattr(buffer._half, "wait", wait)
    buffer.gather(60, burst=False)
    assert waits == [BURST_PAUSE, pytest.approx(60, abs=5)]


def test_what_gathers_is_waited_for_no_longer_than_told(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = Buffer(1_000_000_000, clock=Clock())
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        buffer.put([heartbeat(1)])
        return False

    monkeypatch.setattr(buffer._half, "wait", wait)
    begun = time.monotonic()
    buffer.gather(0.02, burst=False)
    assert time.monotonic() - begun >= 0.02
    assert 0 < max(waits) <= 0.02
