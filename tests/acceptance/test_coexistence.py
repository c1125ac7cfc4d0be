"""Celery's own commands survive a broken Umbel and Flower beside it: a sample of `make prove`."""

import pytest

from tests.prove.coexistence import run_damages

#: The kinds that differ: before the command is found, when it is called, half the files, a dependency.
SAMPLE = (
    "a syntax error in umbel",
    "an import error in umbel.config",
    "nothing left but the folder",
    "a dependency that cannot be imported",
)


@pytest.mark.timeout(120)
def test_a_worker_starts_and_works_with_umbel_broken() -> None:
    for survival in run_damages(SAMPLE):
        assert survival.works, f"{survival.damage}: {survival.said}"
        assert survival.code != 0, f"{survival.damage}: the monitor claims to have run"
        assert survival.said.strip(), f"{survival.damage}: not a word"
