"""Umbel answers as Flower 2.2.0 does, to every endpoint and parameter, except where it means not to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat.allowances import read_allowances
from tests.compat.cluster import Cluster
from tests.compat.commands import list_commands
from tests.compat.settle import add_late_worker, lose_workers, wait_for_all_events
from tests.compat.verdict import Outcome, run_cases

pytestmark = pytest.mark.timeout(420)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Outcome]]:
    folder: Path = tmp_path_factory.mktemp("compat")
    cluster = Cluster(folder)
    try:
        cluster.start()
        lose_workers(cluster)
        ids = cluster.send_tasks()
        wait_for_all_events(cluster, ids)
        reads = run_cases(cluster, ids, read_allowances())
        add_late_worker(cluster)
        yield reads + run_cases(cluster, ids, read_allowances(), cases=list_commands())
    finally:
        cluster.stop()


def test_every_answer_is_flowers_or_differs_on_purpose(outcomes: list[Outcome]) -> None:
    found = [
        f"{outcome.case.name}\n    {deviation}"
        for outcome in outcomes
        for deviation in outcome.deviations[:5]
    ]
    assert not found, f"{len(found)} deviations:\n" + "\n".join(found[:100])


def test_every_difference_that_shows_nearly_everywhere_shows_somewhere(outcomes: list[Outcome]) -> None:
    used = {allowance.id for outcome in outcomes for allowance in outcome.used}
    assert {allowance.id for allowance in read_allowances() if allowance.everywhere} <= used
