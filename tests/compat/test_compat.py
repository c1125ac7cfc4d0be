"""Umbel answers as Flower 2.2.0 does, to every read endpoint and parameter, except where it means not to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat.cluster import Cluster
from tests.compat.report import DOCUMENT, make_document
from tests.compat.settle import lose_workers, wait_for_all_events
from tests.compat.verdict import Outcome, read_allowances, run_cases

pytestmark = [pytest.mark.timeout(420), pytest.mark.xdist_group("compat")]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Outcome]]:
    folder: Path = tmp_path_factory.mktemp("compat")
    cluster = Cluster(folder)
    try:
        cluster.start()
        lose_workers(cluster)
        ids = cluster.send_tasks()
        wait_for_all_events(cluster, ids)
        yield run_cases(cluster, ids, read_allowances())
    finally:
        cluster.stop()


def test_every_answer_is_flowers_or_differs_on_purpose(outcomes: list[Outcome]) -> None:
    found = [
        f"{outcome.case.name}\n    {difference}"
        for outcome in outcomes
        for difference in outcome.deviations[:5]
    ]
    assert not found, f"{len(found)} deviations:\n" + "\n".join(found[:100])


def test_every_entry_of_the_allow_list_is_needed(outcomes: list[Outcome]) -> None:
    used = {allowance.id for outcome in outcomes for allowance in outcome.used}
    assert {allowance.id for allowance in read_allowances()} - used == set()


def test_the_published_table_is_what_was_found(outcomes: list[Outcome]) -> None:
    assert DOCUMENT.read_text() == make_document(outcomes), "run python -m tests.compat --write"
