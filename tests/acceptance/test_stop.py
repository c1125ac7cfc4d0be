"""A stop that was asked for ends the monitor soon and in order, whatever it waits for."""

import os
import signal
from contextlib import suppress

import pytest

from tests.conftest import UmbelFactory
from tests.servers import RedisServer, UmbelServer, wait_for


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.prove)])
def test_a_stop_does_not_wait_for_a_broker_that_does_not_answer(
    umbel_server: UmbelFactory, number: signal.Signals
) -> None:
    with RedisServer() as broker:
        server = umbel_server(broker.url, environment={"FLOWER_UNAUTHENTICATED_API": "1"})
        server.wait_until_collecting(60)
        # the questions of the start are over: one that is under way would be shared, and could end well
        assert server.get("/api/workers?refresh=1", timeout=30).status == 200
        broker.freeze()
        answer = server.get("/api/workers?refresh=1", timeout=30)
        assert (answer.status, answer.text[:25]) == (503, "Failed to update workers:")
        os.kill(server.pid, number)
        assert server.wait(25) == 0
        assert "Traceback" not in server.log()
        broker.thaw()


def test_ctrl_c_during_the_start_shows_no_traceback(redis_url: str) -> None:
    with UmbelServer(redis_url).launch() as server:
        wait_for(lambda: "Visit me at" in server.log(), 30)  # the collector has just been started
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGINT)
        assert server.wait(25) in (0, 130)
        assert "Traceback" not in server.log()
        assert "KeyboardInterrupt" not in server.log()
