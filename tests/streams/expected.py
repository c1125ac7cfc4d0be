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
