"""Labels of real workers against what is documented, and who is listed after churn: a sample of `make prove`."""

import pytest

from tests.prove.churn import run_churn
from tests.prove.liveness import CASES, Pool, describe, run_matrix


@pytest.mark.timeout(180)
@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_each_fate_of_a_worker_gets_its_documented_label_in_time(pool: Pool) -> None:
    cells = run_matrix([pool], CASES, block=15)
    assert not [fault for cell in cells for fault in cell.faults], describe(cells)


@pytest.mark.timeout(120)
def test_only_live_and_recently_lost_workers_stay_listed() -> None:
    looks = run_churn(names=40, over=15, life=8, grace=2)
    for look in looks:
        assert not look.missing, f"live, but not listed as online: {look.missing}"
        assert not look.stale, f"listed long after their end: {look.stale}"
        assert not look.stale_metrics, f"in the metrics long after their end: {look.stale_metrics}"
    assert looks[-1].listed == 0
