"""What counts as a wait, and since when."""

from typing import Any

import pytest

from umbel.model.task import Task
from umbel.model.wait import wait_of


def task(**known: Any) -> Task:
    return Task(uuid="u", **{"attempts": 1, **known})


@pytest.mark.parametrize(
    ("known", "skew", "wait"),
    [
        ({"sent": 10.0, "received": 14.0, "started": 15.0}, None, ("sent", 5.0)),
        ({"sent": 10.0, "received": 14.0, "started": 15.0}, 0.9, ("sent", 5.0)),
        ({"sent": 10.0, "received": 14.0, "started": 15.0}, -1.1, ("received", 1.0)),
        ({"received": 14.0, "started": 15.0}, None, ("received", 1.0)),
        ({"sent": 10.0, "received": 14.0, "started": 15.0, "attempts": 2}, None, ("received", 1.0)),
        ({"sent": 15.0, "started": 15.0}, None, ("sent", 0.0)),
        # sent after it was started: somebody's clock is wrong
        ({"sent": 16.0, "received": 14.0, "started": 15.0}, None, None),
        ({"sent": 10.0, "started": 15.0, "eta": "2026-11-26T03:00:00"}, None, None),
        ({"sent": 10.0, "received": 14.0}, None, None),
        ({"started": 15.0}, None, None),
    ],
)
def test_a_wait_is_counted_since_sending_else_since_receipt(
    known: dict[str, Any], skew: float | None, wait: tuple[str, float] | None
) -> None:
    assert wait_of(None, task(**known), skew) == wait


def test_a_start_is_counted_once_and_each_attempt_has_its_own() -> None:
    waiting = task(received=14.0)
    first = task(received=14.0, started=15.0)
    assert wait_of(waiting, first, None) == ("received", 1.0)
    assert wait_of(first, task(received=14.0, started=15.0, succeeded=16.0), None) is None
    assert wait_of(first, task(received=20.0, started=22.0, attempts=2), None) == ("received", 2.0)
