"""What events make of tasks: plain ones in few steps, the others by the fold; secrets masked, totals kept.

Pure, but for the tally that it adds to. Used by `ingest.pipeline`.
"""

from collections.abc import Sequence

from umbel.model.attempts import attempts
from umbel.model.event import Event
from umbel.model.fold import fold, project
from umbel.model.plain import Life, as_record, tell
from umbel.model.redact import Redactor
from umbel.model.rollup import Tally
from umbel.model.task import Record, Task
from umbel.store.base import TaskChange


def fold_changes(
    steps: Sequence[tuple[tuple[Task, Life] | None, Sequence[Event]]],
    tally: Tally,
    redactor: Redactor | None = None,
) -> list[TaskChange]:
    """The transitions that these events make, each of one task, added to the tally; none where they tell nothing new.

    Secrets are masked in what is new of plain lives, else in each event, before anything is made of it.
    """
    changes: list[TaskChange] = []
    plain: list[tuple[Task, Task | None]] = []
    others: list[tuple[Task | None, Life | None, Sequence[Event]]] = []
    add_plain = tally.add_plain
    for prior, events in steps:
        before, life = prior if prior is not None else (None, None)
        told = None if isinstance(life, Record) else tell(events, before, life)
        if told is not None:
            after = told[0]
            plain.append((after, before))
            add_plain(before, after)
            changes.append(TaskChange(before, after, told[1]))
        else:
            others.append((before, life, events))
    if redactor is not None:
        redactor.redact_tasks(plain)
        redactor.redact_events([event for _, _, events in others for event in events])
    for before, life, events in others:
        change = _fold_change(before, life, events, tally)
        if change is not None:
            changes.append(change)
    return changes


def _fold_change(
    before: Task | None, life: Life | None, events: Sequence[Event], tally: Tally
) -> TaskChange | None:
    """The same for one task whose life is not plain."""
    record = None if before is None or life is None else as_record(before, life)
    after = fold(record, events)
    if record is not None and len(after.marks) == len(record.marks) and after == record:
        return None
    runs = attempts(after.marks)
    tally.add_transition(record, after, runs)
    return TaskChange(before, project(after, runs), after)
