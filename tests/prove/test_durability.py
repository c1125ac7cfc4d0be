"""Proof 4: 10,000 real tasks with two kills in the middle; 100 kills under load."""

import pytest

from tests.prove.durability import check, run_durability
from tests.prove.kills import run_kills
from tests.prove.report import describe_durability, describe_kills
from tests.prove.stage import Broker

pytestmark = pytest.mark.prove


@pytest.mark.timeout(900)
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_ten_thousand_tasks_are_told_right_over_two_kills(broker: Broker) -> None:
    outcome = run_durability(broker, tasks=10_000, rate=100, kills=2)
    print(describe_durability(f"10,000 tasks, two kills, {broker}", outcome))
    check(outcome)
    assert outcome.verdict.ended == 10_000
    if broker == "rabbitmq":
        assert outcome.verdict.due == 10_000
        assert outcome.lost == 0
        assert outcome.lossy_gaps == 0
    else:
        assert outcome.verdict.due > 8_000


@pytest.mark.timeout(1800)
def test_a_hundred_kills_under_load_leave_a_hundred_clean_starts() -> None:
    outcome = run_kills(100, rate=1000)
    print(describe_kills("100 kills under load", outcome))
    assert outcome.kills == 100
    assert outcome.slowest_start < 10
    assert not outcome.differences, outcome.differences[:5]
