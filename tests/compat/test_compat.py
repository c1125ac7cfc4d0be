"""Umbel answers as Flower 2.2.0 does, to every endpoint and parameter, except where it means not to.

On Redis; `tests/prove/test_flower.py` asks the same on RabbitMQ.
"""

import pytest

from tests.compat.allowances import read_allowances
from tests.compat.comparison import list_deviations, run_comparison
from tests.compat.verdict import Outcome

pytestmark = pytest.mark.timeout(420)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    return run_comparison(tmp_path_factory.mktemp("compat"))


def test_every_answer_is_flowers_or_differs_on_purpose(outcomes: list[Outcome]) -> None:
    found = list_deviations(outcomes)
    assert not found, f"{len(found)} deviations:\n" + "\n".join(found[:100])


def test_every_difference_that_shows_nearly_everywhere_shows_somewhere(outcomes: list[Outcome]) -> None:
    used = {allowance.id for outcome in outcomes for allowance in outcome.used}
    assert {allowance.id for allowance in read_allowances() if allowance.everywhere} <= used
