"""Labels of real workers against what is documented, and who is listed after churn: a sample of `make prove`."""

import pytest

from tests.prove.churn import run_churn
from tests.prove.liveness import CASES, Cell, describe, run_matrix


@pytest.mark.timeout(180)
def test_each_fate_of_a_worker_gets_its_documented_label_in_time() -> None:
    cells = [Cell("prefork", case) for case in CASES if case != "blocked"]
    run_matrix([*cells, solo := Cell("solo", "blocked")], block=19, broker="rabbitmq")
    assert not [fault for cell in [*cells, solo] for fault in cell.faults], describe([*cells, solo])


@pytest.mark.timeout(120)
def test_only_live_and_recently_lost_workers_stay_listed() -> None:
    looks = run_churn(names=40, over=8, life=6, grace=2, look_every=2)
    for look in looks:
        assert not look.missing, f"live, but not listed as online: {look.missing}"
        assert not look.stale, f"listed long after their end: {look.stale}"
        assert not look.stale_metrics, f"in the metrics long after their end: {look.stale_metrics}"
    assert looks[-1].listed == 0
