"""Compares the tasks of a history with the ledger that the tasks themselves kept."""

from collections.abc import Callable, Mapping

import msgspec

from tests.prove.ledger import Truth
from umbel.model.task import Task


class Verdict(msgspec.Struct):
    """How many tasks had to be right in what, and which were not (a sentence each)."""

    #: Ended tasks in the ledger.
    ended: int = 0
    #: Their last event fell while the monitor was ready, and 1 s or more before a kill.
    due: int = 0
    #: Of these: their whole life did, so that attempts and retries must be right as well.
    whole: int = 0
    missing: list[str] = msgspec.field(default_factory=list)
    wrong: list[str] = msgspec.field(default_factory=list)
    #: Tasks that were not due, and are right all the same.
    right_anyway: int = 0


def compare(
    truth: Mapping[str, Truth],
    rows: Mapping[str, Task],
    *,
    is_due: Callable[[Truth], bool],
    is_whole: Callable[[Truth], bool],
) -> Verdict:
    """Judge every ended task.

    Args:
        is_due: State, result and exception must be right.
        is_whole: Attempts, retries and name must be right, too.
    """
    verdict = Verdict(ended=len(truth))
    for uuid, told in truth.items():
        row = rows.get(uuid)
        if not is_due(told):
            verdict.right_anyway += row is not None and not _faults(told, row, whole=True)
            continue
        verdict.due += 1
        whole = is_whole(told)
        verdict.whole += whole
        if row is None:
            verdict.missing.append(f"{uuid} ({told.name}, {told.state}) is not in the history")
            continue
        verdict.wrong += [f"{uuid}: {fault}" for fault in _faults(told, row, whole=whole)]
    return verdict


def _faults(told: Truth, row: Task, *, whole: bool) -> list[str]:
    fields = ["state", "result", "exception"]
    if whole:
        fields += ["attempts", "retries", "name"]
    elif told.attempts > 1 and told.state == "SUCCESS":
        fields.remove("exception")  # that of an earlier attempt, which may have fallen into a gap
    return [
        f"{field} is {getattr(row, field)!r}, in truth {getattr(told, field)!r}"
        for field in fields
        if getattr(row, field) != getattr(told, field)
    ]
