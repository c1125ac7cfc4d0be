"""Brokers that restart, freeze, or cut us off: proof of life ends, comes back, and every outage is told once."""

import time
from urllib.parse import quote

import pytest

from tests.integration.running_source import RunningSource
from tests.servers import RabbitServer, RedisServer
from tests.servers.process import wait_for
from umbel.ingest import kombu_source
from umbel.ingest.source import SourceState


def test_a_redis_that_restarts_is_read_again_and_each_outage_told() -> None:
    with RedisServer() as server, RunningSource(server.url, probe_interval=1.0) as running:
        running.wait_until_connected()
        for round_ in range(1, 4):
            server.stop()
            down = time.time()
            server.start()
            wait_for(lambda n=round_: len(running.outages) == n, 30.0, message=lambda: str(running.health))  # type: ignore[misc]
            outage = running.outages[-1]
            assert outage.lossy
            # what Redis sent last may be read a little later
            assert outage.start <= down + 0.5 and down < outage.end
            running.messages.clear()
            running.send("task-received")
            running.wait_for_types({"task-received"})
        assert running.health.reconnects == 3


def test_a_frozen_redis_turns_us_blind_and_is_left_for_a_new_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # a wait as long as it should be is no sign that we stood still
    monkeypatch.setattr(kombu_source, "ASLEEP", 1.0)
    with RedisServer() as server, RunningSource(server.url, probe_interval=0.5, proof_timeout=3.0) as running:
        running.wait_until_connected()
        server.freeze()
        wait_for(lambda: running.health.state is not SourceState.CONNECTED, 5.0)
        with pytest.raises(AssertionError):
            wait_for(lambda: running.outages, 6.0)
        server.thaw()
        wait_for(lambda: running.outages, 20.0, message=lambda: str(running.health))
        running.send("task-received")
        running.wait_for_types({"task-received"})


def test_a_time_in_which_we_stood_still_is_no_outage_and_nobodys_silence() -> None:
    with RedisServer() as server, RunningSource(server.url, probe_interval=0.5, proof_timeout=3.0) as running:
        running.wait_until_connected()
        first = running.health.connected_at
        assert first is not None
        server.freeze()  # so that it is looked at the line before anything proves that it lives
        running.ahead = 100.0
        running.source.wake()
        time.sleep(0.5)
        server.thaw()
        wait_for(lambda: running.health.connected_at != first, 5.0, message=lambda: str(running.health))
        again = running.health
        assert again.connected_at is not None and again.connected_at > first + 99
        assert again.state is SourceState.CONNECTED
        running.send("task-received")
        running.wait_for_types({"task-received"})
        # longer than the connection would be given up after
        with pytest.raises(AssertionError):
            wait_for(lambda: running.health.reconnects or running.outages, 4.0)
        assert running.health.connected_at == again.connected_at


def test_a_broker_that_falls_silent_after_our_clock_was_set_back_is_noticed() -> None:
    with RedisServer() as server, RunningSource(server.url, probe_interval=0.5, proof_timeout=3.0) as running:
        running.ahead = 3600.0
        running.wait_until_connected()
        running.ahead = 0.0
        wait_for(lambda: (running.health.connected_at or 0) < time.time() + 1, 10.0)
        assert running.health.proof_at is not None and running.health.proof_at < time.time() + 1
        server.freeze()
        wait_for(lambda: running.health.state is not SourceState.CONNECTED, 5.0)
        server.thaw()
        wait_for(lambda: running.health.state is SourceState.CONNECTED, 20.0)
        assert all(outage.start <= outage.end for outage in running.outages)


def test_redis_killing_our_connection_is_an_outage() -> None:
    with RedisServer() as server, RunningSource(server.url, probe_interval=0.5) as running:
        running.wait_until_connected()
        with server.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        wait_for(lambda: running.outages, 10.0)
        running.send("task-received")
        running.wait_for_types({"task-received"})


def test_a_broker_that_is_absent_at_start_is_found_when_it_comes() -> None:
    server = RedisServer()
    try:
        with RunningSource(server.url) as running:
            wait_for(lambda: running.health.error, 10.0)
            assert running.health.state is SourceState.CONNECTING
            server.start()
            running.wait_until_connected()
            assert running.outages == []
    finally:
        server.close()


@pytest.mark.timeout(240)
def test_rabbitmq_that_restarts_loses_what_it_held_but_a_cut_connection_does_not() -> None:
    with RabbitServer(management=True) as server, RunningSource(server.url, probe_interval=1.0) as running:
        running.wait_until_connected()

        def cut() -> bool:
            # the list of connections lags a few seconds behind
            for connection in server.manage("GET", "connections").json():
                server.manage("DELETE", f"connections/{quote(connection['name'])}")
            return bool(running.outages)

        wait_for(cut, 60.0, message=lambda: str(running.health))
        assert not running.outages[-1].lossy

        told = len(running.outages)
        server.restart()
        wait_for(lambda: len(running.outages) > told, 40.0, message=lambda: str(running.health))
        assert running.outages[-1].lossy
        running.send("task-received")
        running.wait_for_types({"task-received"})
