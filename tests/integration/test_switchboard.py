"""The one line to all workers: brokers that end and freeze, workers that are silent, many questions at once."""

import time
from concurrent.futures import wait
from typing import Any

import pytest

from tests.apps.tasks import make_app
from tests.conftest import WorkerFactory
from tests.servers import RedisServer, free_port, wait_for
from umbel.control.switchboard import Switchboard, read_answer
from umbel.errors import InspectError


def test_each_question_gets_its_own_replies_as_they_come(
    redis_url: str, celery_worker: WorkerFactory
) -> None:
    lively, frozen = (celery_worker(redis_url).wait_until_answering() for _ in range(2))
    board = Switchboard(make_app(redis_url))
    both = {lively.hostname, frozen.hostname}
    pings = [board.call("ping", timeout=20.0, expected=both) for _ in range(50)]
    assert all(call.replies.result(20.0).keys() == both for call in pings)
    frozen.freeze()
    heard: list[str] = []
    slow = board.call("ping", timeout=3.0, expected=both, on_reply=lambda name, _: heard.append(name))
    wait_for(lambda: heard == [lively.hostname], 3.0)
    assert not slow.replies.done()
    began = time.monotonic()
    quick = board.call("ping", destination=[lively.hostname], timeout=20.0, expected=[lively.hostname])
    assert quick.replies.result(20.0) == {lively.hostname: {"ok": "pong"}}
    assert time.monotonic() - began < 2.0
    assert slow.replies.result(10.0).keys() == {lively.hostname}
    frozen.thaw()
    board.stop()
    assert not board.healthy()
    with pytest.raises(InspectError, match="stopping"):
        board.call("ping", timeout=1.0).sent.result(1.0)


def test_a_broker_that_ends_ends_the_question_and_the_next_one_works(celery_worker: WorkerFactory) -> None:
    with RedisServer() as server:
        worker = celery_worker(server.url).wait_until_answering()
        board = Switchboard(make_app(server.url))
        call = board.call("ping", timeout=60.0, expected=[worker.hostname, "nobody@test"])
        call.sent.result(10.0)
        server.kill9()
        assert set(call.replies.result(20.0)) <= {worker.hostname}
        with pytest.raises(InspectError):
            board.call("ping", timeout=1.0).sent.result(20.0)
        server.start()

        def is_answered() -> Any:
            return board.call("ping", timeout=2.0, expected=[worker.hostname]).replies.result(20.0)

        assert wait_for(is_answered, 40.0, retry=(InspectError,)) == {worker.hostname: {"ok": "pong"}}
        board.stop()


def test_a_frozen_broker_is_told_in_time_and_holds_up_nothing_afterwards() -> None:
    with RedisServer() as server:
        board = Switchboard(make_app(server.url))
        assert board.call("ping", timeout=0.1).replies.result(10.0) == {}
        server.freeze()
        calls = [board.call("ping", timeout=0.1) for _ in range(20)]
        began = time.monotonic()
        done, _ = wait([call.sent for call in calls], timeout=30.0)
        assert len(done) == 20
        assert time.monotonic() - began < 20.0
        assert any(call.sent.exception() for call in calls)
        server.thaw()
        assert board.call("ping", timeout=0.1).replies.result(20.0) == {}
        board.stop()


def test_a_command_that_cannot_be_written_fails_alone(redis_url: str, celery_worker: WorkerFactory) -> None:
    worker = celery_worker(redis_url).wait_until_answering()
    board = Switchboard(make_app(redis_url))
    waiting = board.call("ping", timeout=20.0, expected=[worker.hostname, "nobody@test"])
    with pytest.raises(InspectError, match="can't be written"):
        board.call("ping", {"odd": object()}, timeout=1.0).sent.result(10.0)
    assert not waiting.replies.done()
    quick = board.call("ping", timeout=20.0, expected=[worker.hostname])
    assert quick.replies.result(20.0).keys() == {worker.hostname}
    board.stop()
    assert waiting.replies.result(5.0).keys() == {worker.hostname}


def test_no_broker_is_told_soon() -> None:
    board = Switchboard(make_app(f"redis://127.0.0.1:{free_port()}/0"))
    with pytest.raises(InspectError):
        board.call("ping", timeout=1.0).sent.result(10.0)
    assert board.healthy()
    board.stop()


def test_only_an_ok_confirms() -> None:
    assert read_answer({"ok": "pong"}).is_ok
    for reply in ({"error": "no"}, {}, None, "ok", ["ok"], 5):
        assert not read_answer(reply).is_ok
    assert read_answer({"error": "ValueError('x')"}).text == "ValueError('x')"
