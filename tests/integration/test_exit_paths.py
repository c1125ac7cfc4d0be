"""One real task per exit path on each pool, with the Celery that is installed: it ends as documented."""

import celery
import pytest

from tests.streams.capture import record_pool
from tests.streams.check import outcome
from tests.streams.expected import expected_of, is_before


@pytest.mark.parametrize("pool", ["prefork", "threads", "gevent", "solo"])
def test_every_way_out_of_a_task_is_told_as_documented(redis_url: str, pool: str) -> None:
    if pool == "threads" and is_before(celery.__version__, (5, 7)):
        pytest.skip("there a worker loses events that one thread adds while another one sends")
    recording = record_pool(redis_url, pool)
    told = {path: outcome(recording.events, uuid) for path, uuid in recording.ids.items()}
    expected = expected_of(celery.__version__)
    assert told == {path: expected[path] for path in recording.ids}
