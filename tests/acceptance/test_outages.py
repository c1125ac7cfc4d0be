"""A broker that goes and comes: seen, said, survived and listed as a gap: a sample of `make prove`."""

import pytest

from tests.prove.outages import run_before_broker, run_outages
from tests.prove.stage import Broker


@pytest.mark.timeout(180)
@pytest.mark.parametrize("broker", ["redis", pytest.param("rabbitmq", marks=pytest.mark.prove)])
def test_events_resume_after_a_restart_of_the_broker_and_the_gap_is_listed(broker: Broker) -> None:
    outcome = run_outages(broker, [("restart", 1.0)])
    assert outcome.outages[0].resumed is not None
    assert outcome.outages[0].resumed - outcome.outages[0].back < 30
    assert not outcome.unlisted


@pytest.mark.timeout(120)
def test_a_frozen_broker_turns_readiness_red_and_events_resume_when_it_thaws() -> None:
    # `make prove` holds it to 15 s; here other tests share the machine
    outcome = run_outages("redis", [("freeze", 20.0)])
    (outage,) = outcome.outages
    assert outage.red is not None, "readiness never turned red"
    assert outage.red - outage.begun < 19.5
    assert outage.resumed is not None
    assert outage.resumed - outage.back < 30
    assert not outcome.unlisted


@pytest.mark.timeout(60)
def test_a_monitor_started_before_its_broker_answers_at_once_and_collects_later() -> None:
    assert run_before_broker("redis")["page answered after (s)"] < 20
