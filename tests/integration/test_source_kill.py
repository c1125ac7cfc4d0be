"""A collector killed in the middle of a stream: RabbitMQ keeps what it had not stored, and delivers it again."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.integration.rabbit_publisher import connect, publish
from tests.integration.running_collector import RunningCollector
from tests.servers.process import wait_for


@pytest.mark.timeout(180)
def test_a_collector_that_is_killed_stores_everything_in_the_end(rabbitmq_url: str, tmp_path: Path) -> None:
    count = 6000
    with RunningCollector(rabbitmq_url, tmp_path) as collector, connect(rabbitmq_url) as connection:
        first = collector.process.pid
        assert first is not None
        channel = connection.channel()
        for at in range(0, count, 1000):
            publish(channel, (sent(number) for number in range(at, at + 1000)))
            if at == 2000:
                os.kill(first, signal.SIGKILL)
        collector.wait_for(lambda status: status.pid != first and status.state == "connected", 40.0)
        wait_for(
            lambda: collector.reader.fetch_extent().tasks >= count,
            40.0,
            message=lambda: f"{collector.reader.fetch_extent()} {collector.process.status()}",
        )
        assert collector.reader.fetch_extent().tasks == count
        collector.wait_for(lambda status: status.lag < 1.0)
        gap = wait_for(lambda: next((gap for gap in collector.reader.fetch_gaps() if gap.end), None), 10.0)
        assert gap is not None
        assert not gap.lossy


def sent(number: int) -> bytes:
    event = {
        "type": "task-sent", "uuid": f"00000000-0000-4000-8000-{number:012}", "name": "tests.add",
        "hostname": "gen1@here", "timestamp": time.time(), "utcoffset": 0, "pid": 1, "clock": number,
        "args": "x" * 300, "kwargs": "{}", "retries": 0,
    }  # fmt: skip
    return json.dumps(event).encode()
