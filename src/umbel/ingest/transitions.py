"""What events make of tasks: plain ones in few steps, the others by the fold; secrets masked, totals kept.

Pure, but for the tally that it adds to. Used by `ingest.pipeline`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from umbel.model.attempts import attempts
from umbel.model.event import Event
from umbel.model.fold import fold, project
from umbel.model.plain import Life, as_record, tell
from umbel.model.redact import Redactor
from umbel.model.rollup import Tally
from umbel.model.task import Record, Task
from umbel.store.base import TaskChange


@dataclass(frozen=True, slots=True)
class Transitions:
    """Transitions of tasks, at most one of each."""

    #: Plain lives that have ended, where their masking is put off. What is new of them is as it was told: whoever
    #: writes them masks it.
    raw: Sequence[TaskChange]
    #: All others, without secrets: what comes later is folded into them.
    clean: Sequence[TaskChange]

    def __iter__(self) -> Iterator[TaskChange]:
        yield from self.raw
        yield from self.clean


def fold_changes(
    steps: Sequence[tuple[tuple[Task, Life] | None, Sequence[Event]]],
    tally: Tally,
    redactor: Redactor | None = None,
    *,
    put_off: bool = True,
) -> Transitions:
    """The transitions that these events make, each of one task, added to the tally; none where they tell nothing new.

    Secrets are masked in what is new of plain lives, else in each event, before anything is made of it. With `put_off`
    those of plain lives that have ended are left to whoever writes them.
    """
    raw: list[TaskChange] = []
    clean: list[TaskChange] = []
    others: list[tuple[Task | None, Life | None, Sequence[Event]]] = []
    add_plain = tally.add_plain
    for prior, events in steps:
        before, life = prior if prior is not None else (None, None)
        told = None if isinstance(life, Record) else tell(events, before, life)
        if told is not None:
            after, known = told
            add_plain(before, after)
            (raw if put_off and after.finished else clean).append(TaskChange(before, after, known))
        else:
            others.append((before, life, events))
    if redactor is not None:
        redactor.redact_tasks([(change.after, change.before) for change in clean])
        redactor.redact_events([event for _, _, events in others for event in events])
    for before, life, events in others:
        change = _fold_change(before, life, events, tally)
        if change is not None:
            clean.append(change)
    return Transitions(raw, clean)


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
