"""Umbel answers as Flower 2.2.0 does on RabbitMQ too; on Redis each `make test` asks (`tests/compat`)."""

from pathlib import Path

import pytest

from tests.compat.comparison import list_deviations, run_comparison


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_every_answer_on_rabbitmq_is_flowers_or_differs_on_purpose(tmp_path: Path) -> None:
    outcomes = run_comparison(tmp_path, broker="rabbitmq")
    found = list_deviations(outcomes)
    assert not found, f"{len(found)} deviations:\n" + "\n".join(found[:100])
    print(f"{len(outcomes)} requests to Umbel and to Flower on RabbitMQ: all alike, or different on purpose")
