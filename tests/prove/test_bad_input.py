"""Proof 8: 10,000 malformed messages, among them fifty of 10 MB."""

import pytest

from tests.prove.bad_input import run_bad_input
from tests.prove.report import describe_bad_input
from tests.prove.stage import Broker

pytestmark = pytest.mark.prove

#: Growth of memory that 10 MB messages may cost at their worst moment: some of them at once, in several shapes.
MEMORY = 300e6


@pytest.mark.timeout(600)
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_ten_thousand_malformed_messages_are_counted_and_harm_nothing(broker: Broker) -> None:
    outcome = run_bad_input(broker, count=10_000, huge=50)
    print(describe_bad_input(f"10,000 malformed messages, {broker}", outcome))
    assert outcome.stored == outcome.valid
    assert outcome.counted == outcome.expected
    assert outcome.metered == outcome.expected
    assert outcome.reconnects == 0
    assert outcome.gaps == 0
    assert outcome.peak - outcome.before < MEMORY
