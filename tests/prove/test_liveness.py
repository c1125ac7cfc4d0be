"""Proof 7: every pool × every fate, with a task that blocks for five minutes; 500 names in ten minutes."""

import pytest

from tests.prove.churn import run_churn
from tests.prove.figures import table
from tests.prove.liveness import CASES, POOLS, Cell, describe, run_matrix
from tests.prove.report import describe_churn
from tests.prove.stage import Broker

pytestmark = pytest.mark.prove


@pytest.mark.timeout(900)
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_every_pool_and_fate_gets_the_documented_label_in_time(broker: Broker) -> None:
    cells = [Cell(pool, case) for pool in POOLS for case in CASES]
    run_matrix(cells, block=300, broker=broker)
    print(table(f"labels on {broker}, from the fact on", describe(cells)))
    assert not [fault for cell in cells for fault in cell.faults]


@pytest.mark.timeout(1200)
def test_after_500_names_only_the_live_and_the_recently_lost_are_listed() -> None:
    looks = run_churn(names=500, over=600, life=30, grace=30)
    print(describe_churn("500 worker names in 10 minutes", looks))
    for look in looks:
        assert not look.missing
        assert not look.stale
        assert not look.stale_metrics
    assert looks[-1].listed == 0
