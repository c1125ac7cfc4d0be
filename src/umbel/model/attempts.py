"""The attempts of a task: which of its marks belong together, and in which order they followed each other.

A pure function of the sorted marks, also where any of them were lost. Called by `model.fold`, `model.rollup`,
`ingest.pipeline` and, for the timeline, `web.wire`. The rules are drawn in `docs/explanation/task-lifecycle.md`.
"""

from collections.abc import Iterable, Sequence

from umbel.model.task import (
    CANCELLED,
    CUSTOM,
    FAILED,
    HAS_ETA,
    LOST,
    RECEIVED,
    REJECTED,
    REQUEUE,
    RETRIED,
    SENT,
    STARTED,
    STATES,
    SUCCEEDED,
    UNKNOWN,
    Attempt,
    Mark,
)


class _Open:
    """An attempt while its marks are being dealt out."""

    __slots__ = ("end", "marks", "received", "retries", "run", "started")

    def __init__(self, run: tuple[str, int]) -> None:
        self.run = run
        self.marks: list[Mark] = []
        self.received = False
        self.started = False
        self.retries = -1
        self.end: Mark | None = None

    def has(self, rank: int) -> bool:
        """It was received, or started, already."""
        return (rank == RECEIVED and self.received) or (rank == STARTED and self.started)

    def take(self, mark: Mark) -> None:
        self.marks.append(mark)
        self.retries = max(self.retries, mark.retries)
        if mark.rank == RECEIVED:
            self.received = True
        elif mark.rank == STARTED:
            self.started = True
        elif mark.rank > CUSTOM and (
            self.end is None or (mark.rank, mark.time) >= (self.end.rank, self.end.time)
        ):
            self.end = mark


def attempts(marks: Iterable[Mark]) -> list[Attempt]:
    """The attempts that sorted marks tell of, in the order in which they followed each other; `sent` belongs to none.

    `received` and `started` open an attempt unless one of the same worker run is open and lacks them. A retry
    ends the earliest open attempt of its run that was started, for the new message can be received before the
    old attempt says that it ended. Everything else is the newest message's: an older attempt that is still open
    has only lost the event that said that it was retried.
    """
    opened: list[_Open] = []
    for mark in marks:
        if mark.rank == SENT:
            continue
        attempt = _find(opened, mark)
        if attempt is None:
            attempt = _Open((mark.hostname, mark.pid))
            opened.append(attempt)
        attempt.take(mark)
    finished: list[Attempt] = []
    before: list[_Open] = []
    for number, attempt in enumerate(_in_order(opened), 1):
        finished.append(_attempt(number, attempt, redelivered=_is_redelivered(attempt, before)))
        before.append(attempt)
    return finished


def _is_redelivered(attempt: _Open, before: Sequence[_Open]) -> bool:
    """The broker gave out again what no worker had given back: a message whose retries are those of an earlier one."""
    if not before or not attempt.received:
        return False
    end = before[-1].end
    is_retry = attempt.retries > max(earlier.retries for earlier in before)
    return not is_retry and (end is None or not _continues(end))


def _in_order(opened: list[_Open]) -> list[_Open]:
    """As they followed each other: an attempt opens before its predecessor where the receipt of that one was lost."""
    if len(opened) < 2:
        return opened
    ordered: list[_Open] = []
    for attempt in opened:
        later = [other for other in ordered if _follows(other, attempt)]
        ordered = [other for other in ordered if other not in later]
        ordered += [attempt, *later]
    return ordered


def _follows(attempt: _Open, ended: _Open) -> bool:
    """`attempt`, which opened first, came after `ended` nevertheless."""
    end = ended.end
    if end is None or 0 <= attempt.retries < ended.retries or not (_continues(end) or ended.marks == [end]):
        return False
    began = next((mark for mark in attempt.marks if mark.rank == STARTED), attempt.end)
    if began is not None and not began.flags & LOST and began.time > end.time:
        return True
    # a busy worker says late that it retried: the next may have started, or even ended, before
    if ended.received or attempt.retries == 0 or attempt.end is None:
        return False
    return attempt.end.rank in (FAILED, SUCCEEDED) and ended.marks[0].time < attempt.end.time


def _find(opened: list[_Open], mark: Mark) -> _Open | None:
    """The attempt that `mark` belongs to; None when it opens one."""
    if not opened:
        return None
    run = (mark.hostname, mark.pid)
    only = opened[0]
    # most tasks have one attempt, whose marks need no choice
    if len(opened) == 1 and only.end is None and only.run == run and not only.has(mark.rank):
        return only
    mine = [attempt for attempt in opened if attempt.run == run]
    alive = [attempt for attempt in mine if attempt.end is None]
    if mark.rank == RECEIVED:
        return next((a for a in alive if not a.received), None)
    if mark.rank == STARTED:
        # the first that waits for it: a worker may say so only after it received the next message
        return next((a for a in alive if not a.started), None)
    if not _continues(mark):
        alive = _of_newest_message(opened, alive)
    if not alive or mark.flags & LOST:
        latest = _in_order(mine or opened)[-1]
        return None if _begins_next(latest, mark, opened) else latest
    return next((a for a in alive if a.started), alive[0])


def _of_newest_message(opened: list[_Open], alive: list[_Open]) -> list[_Open]:
    """The open attempts that may still go on: those with fewer retries were retried, and the event of it lost.

    Attempts with the same retry count are one message, delivered twice.
    """
    most = max(attempt.retries for attempt in opened)
    alive = [attempt for attempt in alive if not 0 <= attempt.retries < most]
    if alive and alive[-1].retries < 0:
        return alive[-1:]
    return [attempt for attempt in alive if attempt.retries == alive[-1].retries]


def _begins_next(latest: _Open, mark: Mark, opened: list[_Open]) -> bool:
    """The mark is all that is known of another attempt: the events that should have opened it were lost."""
    if mark.rank <= CANCELLED or mark.flags & LOST:
        return False
    if latest.end is None:
        most = max(attempt.retries for attempt in opened)
        return latest.run != (mark.hostname, mark.pid) or 0 <= latest.retries < most
    return _continues(latest.end)


def _continues(end: Mark) -> bool:
    """Another attempt was to be expected after this end."""
    return end.rank == RETRIED or (end.rank == REJECTED and bool(end.flags & REQUEUE))


def _attempt(number: int, opened: _Open, *, redelivered: bool) -> Attempt:
    received = started = None
    retries = -1
    eta = False
    for mark in opened.marks:
        if mark.rank == RECEIVED:
            received = mark.time
            eta = bool(mark.flags & HAS_ETA)
        elif mark.rank == STARTED:
            started = mark.time
        retries = max(retries, mark.retries)
    end = opened.end
    runtime = end.runtime or None if end is not None else None
    if end is not None and runtime is None and started is not None and end.rank in (FAILED, RETRIED):
        runtime = max(0.0, end.time - started)
    return Attempt(
        number=number,
        state=_state(opened),
        worker=opened.run[0],
        pid=opened.run[1],
        received=received,
        started=started,
        ended=None if end is None else end.time,
        runtime=runtime,
        retries=None if retries < 0 else retries,
        eta=eta,
        redelivered=redelivered,
        marks=tuple(opened.marks),
    )


def _state(opened: _Open) -> str:
    """The state that the marks of one attempt end in: rank decides, then time."""
    mark = opened.end or max(opened.marks, key=lambda m: (m.rank, m.time))
    if mark.flags & LOST:
        return UNKNOWN
    return STATES.get(mark.rank) or mark.type.upper()
