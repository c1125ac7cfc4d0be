"""One real task per exit path on each pool, with the Celery that is installed: it ends as documented."""

import pytest

from tests.streams.capture import record_pool
from tests.streams.check import outcome
from tests.streams.expected import EXPECTED


@pytest.mark.parametrize("pool", ["prefork", "threads", "gevent", "solo"])
def test_every_way_out_of_a_task_is_told_as_documented(redis_url: str, pool: str) -> None:
    recording = record_pool(redis_url, pool)
    told = {path: outcome(recording.events, uuid) for path, uuid in recording.ids.items()}
    assert told == {path: EXPECTED[path] for path in recording.ids}
