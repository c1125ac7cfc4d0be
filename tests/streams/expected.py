"""What `docs/explanation/task-lifecycle.md` says of each exit path: the same table, checked."""

from typing import NamedTuple


class Expected(NamedTuple):
    """How a task of one exit path ends."""

    state: str
    attempts: int
    #: Exit state of each attempt.
    states: tuple[str, ...]
    #: Attempts that kept an exception with a traceback.
    tracebacks: int
    finished: bool = True


EXPECTED = {
    "succeed": Expected("SUCCESS", 1, ("SUCCESS",), 0),
    "fail": Expected("FAILURE", 1, ("FAILURE",), 1),
    "retry": Expected("SUCCESS", 4, ("RETRY", "RETRY", "RETRY", "SUCCESS"), 3),
    "ignore": Expected("STARTED", 1, ("STARTED",), 0, finished=False),
    "reject": Expected("FAILURE", 1, ("FAILURE",), 1),
    "requeue": Expected("SUCCESS", 2, ("REJECTED", "SUCCESS"), 0),
    "update_state": Expected("SUCCESS", 1, ("SUCCESS",), 0),
    "progress": Expected("SUCCESS", 1, ("SUCCESS",), 0),
    "revoke": Expected("REVOKED", 1, ("REVOKED",), 0),
    "expire": Expected("REVOKED", 1, ("REVOKED",), 0),
    "soft_limit": Expected("FAILURE", 1, ("FAILURE",), 1),
    "hard_limit": Expected("FAILURE", 1, ("FAILURE",), 1),
}


def is_before(version: str, other: tuple[int, int]) -> bool:
    """Whether this version of Celery is older than that one."""
    return tuple(map(int, version.split(".")[:2])) < other


def expected_of(version: str) -> dict[str, Expected]:
    """The same as this version of Celery tells it: before 5.7 a rejected task is not called failed as well."""
    if is_before(version, (5, 7)):
        return {**EXPECTED, "reject": Expected("REJECTED", 1, ("REJECTED",), 0)}
    return EXPECTED
