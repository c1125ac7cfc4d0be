"""Malformed messages are counted and harm nothing, odd ones are repaired and kept: a sample of `make prove`."""

import pytest

from tests.prove.bad_input import REPAIRABLE, run_bad_input, run_repairs
from tests.prove.stage import Broker
from tests.servers import RedisServer, UmbelServer


@pytest.mark.timeout(120)
@pytest.mark.parametrize("broker", ["redis", pytest.param("rabbitmq", marks=pytest.mark.prove)])
def test_malformed_messages_are_counted_by_cause_and_harm_nothing(broker: Broker) -> None:
    outcome = run_bad_input(broker, count=600, huge=2)
    assert outcome.stored == outcome.valid
    assert outcome.counted == outcome.expected
    assert outcome.metered == outcome.expected
    assert outcome.reconnects == 0
    assert outcome.gaps == 0


@pytest.mark.timeout(60)
def test_what_strict_json_refuses_is_repaired_marked_and_kept() -> None:
    with RedisServer() as server, UmbelServer(server.url) as monitor:
        monitor.wait_until_collecting()
        stored = run_repairs(server, monitor)
    for kind, (_, field, kept) in REPAIRABLE.items():
        assert stored[kind][field] == kept, kind
        assert "repaired" in stored[kind]["notes"], kind
