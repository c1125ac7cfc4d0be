"""What was stored survives a kill of the monitor, and every sum equals its rows: a sample of `make prove`.

RabbitMQ, here and in the other samples, is left to the proofs where a sample on Redis shows the same code at work.
"""

import pytest

from tests.prove.durability import check, run_durability
from tests.prove.kills import run_kills
from tests.prove.stage import Broker


@pytest.mark.timeout(180)
@pytest.mark.parametrize("broker", ["redis", pytest.param("rabbitmq", marks=pytest.mark.prove)])
def test_what_was_stored_survives_a_kill_and_equals_the_truth(broker: Broker) -> None:
    outcome = run_durability(broker, tasks=300, rate=30, kills=1, down=1.0, workers=1)
    check(outcome)
    assert outcome.verdict.due > 150
    if broker == "rabbitmq":
        assert outcome.verdict.due == 300
        assert outcome.lost == 0
        assert outcome.lossy_gaps == 0, "the queue was kept, so nothing can have been lost"


@pytest.mark.timeout(120)
def test_every_start_after_a_kill_under_load_is_clean() -> None:
    # `make prove` holds a start to 10 s; here two test processes share the machine
    outcome = run_kills(3, rate=300, patience=40, recount_every=1)
    assert not outcome.differences, outcome.differences[:5]
    assert outcome.tasks > 0
