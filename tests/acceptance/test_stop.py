"""A stop that was asked for ends the monitor soon, with exit code 0, whatever it waits for."""

import os
import signal

import pytest

from tests.conftest import UmbelFactory
from tests.servers import RedisServer


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_stop_does_not_wait_for_a_broker_that_does_not_answer(
    umbel_server: UmbelFactory, number: signal.Signals
) -> None:
    with RedisServer() as broker:
        server = umbel_server(broker.url, environment={"FLOWER_UNAUTHENTICATED_API": "1"})
        server.wait_until_collecting(60)
        broker.freeze()
        answer = server.get("/api/workers?refresh=1", timeout=30)
        assert (answer.status, answer.text[:25]) == (503, "Failed to update workers:")
        os.kill(server.pid, number)
        assert server.wait(25) == 0
        assert "Traceback" not in server.log()
        broker.thaw()
