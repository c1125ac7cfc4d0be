"""What came of a task that was to be revoked with many others: pure rules over what its events and the workers said.

Used by `control.revocation_jobs`, which sends and waits.
"""

import math
from collections.abc import Iterable, Mapping, Set
from enum import StrEnum

import msgspec

from umbel.model.task import Standing
from umbel.store.base import Gap
from umbel.store.revocation_jobs import Change, JobItem

#: Tasks of one job at most. Workers remember the 50,000 ids that they were told last, for 3 hours (Celery's
#: CELERY_WORKER_REVOKES_MAX and CELERY_WORKER_REVOKE_EXPIRES).
MOST_TASKS = 20_000
MOST_REMEMBERED = 50_000
REMEMBERED_FOR = 10_800.0
#: Pools that take a task in and start it without looking again whether it was revoked.
_BLIND_POOLS = frozenset({"threads", "gevent", "eventlet"})


class Fate(StrEnum):
    """What came of one previewed task. The first two are on the way to one of the others."""

    WAITING = "waiting"
    SENT = "sent"
    #: All workers confirmed, and it had not started: none will start it.
    REVOKED = "revoked"
    #: It had started before they did, and was let run.
    STARTED = "started"
    #: It had started, and was ended.
    TERMINATED = "terminated"
    #: It ended without having been started: rejected, say.
    ENDED = "ended"
    #: Not all workers confirmed, or what they did is not known.
    FAILED = "failed"
    #: The job was stopped before.
    NOT_SENT = "not_sent"


OUTCOMES = tuple(fate.value for fate in Fate)
#: What a server leaves that ends in the middle of a job.
INTERRUPTED: Mapping[str, Change] = {
    Fate.WAITING: Change(0, Fate.NOT_SENT),
    Fate.SENT: Change(0, Fate.FAILED, "the server ended before it was known whether all workers confirmed"),
}


#: Of a task that all workers have on their lists, while nobody knows what it did before.
MISSED = "no worker will start it now, but events were missed since its last one: it may have run then"

#: Of a task that runs at a worker without task events.
UNTOLD = "its worker runs it, and sent no event of it"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What workers said to the batch in which a task was."""

    is_confirmed: bool
    #: Why not; "" where it is.
    why_not: str = ""
    #: The job's signal went to the process that ran it, or why not.
    was_signalled: bool = False
    why_not_signalled: str = ""


def judge(
    item: JobItem,
    standing: Standing | None,
    answer: Answer,
    *,
    blind: Set[str] = frozenset(),
    missed: float = 0.0,
    runs: bool = False,
) -> Change:
    """The task's outcome as far as is known now.

    Args:
        blind: Workers that start what they hold without looking again.
        missed: Until when events may have been missed, epoch seconds UTC: `missed_until`.
        runs: A worker said that it runs it, after all had been told.
    """
    if standing is None:
        if runs:
            return Change(item.n, Fate.STARTED, answer.why_not_signalled or UNTOLD)
        if answer.is_confirmed:
            return Change(item.n, Fate.REVOKED, "" if item.state else "no event of it was ever seen")
        return Change(item.n, Fate.FAILED, answer.why_not)
    if runs or has_started(item, standing):
        return _judge_started(item, standing, answer)
    if standing.finished:
        if standing.state == "REVOKED":
            return Change(item.n, Fate.REVOKED)
        return Change(item.n, Fate.ENDED, f"it ended as {standing.state}")
    if not answer.is_confirmed:
        return Change(item.n, Fate.FAILED, answer.why_not)
    if is_out_of_reach(standing, blind):
        why = f"{standing.worker} holds it and does not look again before it starts it"
        return Change(item.n, Fate.FAILED, why)
    if standing.updated < missed:
        return Change(item.n, Fate.FAILED, MISSED)
    return Change(item.n, Fate.REVOKED)


def missed_until(gaps: Iterable[Gap]) -> float:
    """When events were last missed; infinite while they are, 0 where they never were."""
    return max((math.inf if gap.end is None else gap.end for gap in gaps if gap.lossy), default=0.0)


def has_started(item: JobItem, standing: Standing) -> bool:
    """It ran when it was previewed, or has begun to run since."""
    return item.state == "STARTED" or (standing.started is not None and standing.started != item.began)


def is_out_of_reach(standing: Standing, blind: Set[str]) -> bool:
    """A worker has taken it into its pool, where it starts whatever the worker is told. One with an ETA is looked at
    again when its time comes."""
    return standing.state == "RECEIVED" and not standing.has_eta and standing.worker in blind


def is_blind(pool: str | None) -> bool:
    """Whether workers with this pool start what they hold without looking again."""
    return pool in _BLIND_POOLS


def _judge_started(item: JobItem, standing: Standing, answer: Answer) -> Change:
    if answer.was_signalled and standing.state == "REVOKED":
        return Change(item.n, Fate.TERMINATED)
    if answer.why_not_signalled:
        return Change(item.n, Fate.STARTED, answer.why_not_signalled)
    if answer.was_signalled and not standing.finished:
        return Change(item.n, Fate.STARTED, "it got the signal, and no event says that it has ended")
    return Change(item.n, Fate.STARTED, "" if has_started(item, standing) else UNTOLD)


def sum_up(outcomes: Mapping[str, int]) -> str:
    """The outcomes in one line, for the audit."""
    words = {
        Fate.REVOKED: "revoked before start", Fate.STARTED: "already started", Fate.TERMINATED: "terminated",
        Fate.ENDED: "ended otherwise", Fate.FAILED: "failed", Fate.NOT_SENT: "not sent",
    }  # fmt: skip
    return ", ".join(f"{outcomes[fate]:,} {word}" for fate, word in words.items() if outcomes.get(fate))


def outcome_word(outcomes: Mapping[str, int]) -> str:
    """The outcome of the whole, as the audit calls it: nothing is confirmed that was not done."""
    done = sum(n for fate, n in outcomes.items() if fate not in (Fate.FAILED, Fate.NOT_SENT))
    if done == sum(outcomes.values()):
        return "confirmed"
    if done:
        return "partly"
    return "silent" if outcomes.get(Fate.FAILED) else "refused"
