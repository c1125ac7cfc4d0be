"""Proof 5: the broker restarted ten times and frozen once; and not there at all at the start."""

import pytest

from tests.prove.figures import table
from tests.prove.outages import Way, run_before_broker, run_outages
from tests.prove.report import describe_outages
from tests.prove.stage import Broker

pytestmark = pytest.mark.prove

#: How, and for how many seconds: short ones, and some that must turn readiness red.
ABSENCES: list[tuple[Way, float]] = [
    ("restart", 0.0), ("restart", 1.0), ("restart", 2.0), ("restart", 4.0), ("restart", 8.0), ("restart", 17.0),
    ("restart", 0.0), ("restart", 30.0), ("restart", 3.0), ("restart", 20.0), ("freeze", 25.0),
]  # fmt: skip


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_events_resume_after_every_outage_and_each_is_said_and_listed(broker: Broker) -> None:
    outcome = run_outages(broker, ABSENCES)
    print(describe_outages(f"ten restarts and a freeze, {broker}", outcome))
    for outage in outcome.outages:
        assert outage.resumed is not None
        assert outage.resumed - outage.back < 30, outage
        if outage.back - outage.begun > 15.5:
            assert outage.red is not None, outage
            assert outage.red - outage.begun < 15.5, outage
    assert not outcome.unlisted


@pytest.mark.timeout(180)
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_a_start_before_the_broker_is_a_status_and_events_come_later(broker: Broker) -> None:
    print(table(f"started before the broker, {broker}", run_before_broker(broker)))
