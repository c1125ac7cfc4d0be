"""The ledger that the tasks of `tests.prove.shop` keep, and what it says Umbel must show of each of them."""

import json
from pathlib import Path

import msgspec

#: (task id, type without `task-`, the event's own time): what tells one event from another.
Mark = tuple[str, str, float]


class Run(msgspec.Struct, frozen=True):
    """One run of a task, noted by the task itself just before it ended. Epoch seconds UTC."""

    uuid: str
    name: str
    retries: int
    outcome: str
    #: repr of the result, or of the exception raised.
    value: str
    time: float
    worker: str


class Truth(msgspec.Struct, frozen=True):
    """What became of one task."""

    uuid: str
    name: str
    state: str
    attempts: int
    retries: int
    result: str | None
    exception: str | None
    #: When the first and the last run were noted.
    first: float
    last: float


def read_ledger(path: Path) -> dict[str, list[Run]]:
    """Every run by task id, in the order in which the runs were noted."""
    runs: dict[str, list[Run]] = {}
    for line in path.read_bytes().splitlines():
        run = msgspec.json.decode(line, type=Run)
        runs.setdefault(run.uuid, []).append(run)
    return runs


def truths(runs: dict[str, list[Run]]) -> dict[str, Truth]:
    """What became of each task that has ended; one that will be retried has not."""
    ended: dict[str, Truth] = {}
    for uuid, noted in runs.items():
        last = max(noted, key=lambda run: (run.retries, run.time))
        if last.outcome == "RETRY":
            continue
        errors = [run.value for run in sorted(noted, key=lambda run: run.retries) if run.outcome != "SUCCESS"]
        ended[uuid] = Truth(
            uuid=uuid,
            name=last.name,
            state=last.outcome,
            attempts=len(noted),
            retries=last.retries,
            result=last.value if last.outcome == "SUCCESS" else None,
            exception=errors[-1] if errors else None,
            first=noted[0].time,
            last=last.time,
        )
    return ended


def read_events(path: Path) -> dict[Mark, float]:
    """Each task event -> when `tests.prove.recorder` heard it."""
    events = {}
    for line in path.read_bytes().splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue  # the last line of a recorder that was stopped in the middle of it
        if event["type"].startswith("task-"):
            events[event["uuid"], event["type"][5:], event["timestamp"]] = event["heard"]
    return events
