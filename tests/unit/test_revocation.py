"""What came of a task that was to be revoked with others, by what its events and the workers said."""

import math

import pytest

from umbel.control.revocation import MISSED, Answer, Fate, judge, missed_until, outcome_word, sum_up
from umbel.model.task import Standing
from umbel.store.base import Gap
from umbel.store.revocation_jobs import Change, JobItem

CONFIRMED = Answer(is_confirmed=True)
SILENT = Answer(is_confirmed=False, why_not="not confirmed by w2@h")
SIGNALLED = Answer(is_confirmed=True, was_signalled=True)
UNABLE = Answer(is_confirmed=True, why_not_signalled="w1@h can't end it")


def item(state: str | None = "PENDING", began: float | None = None) -> JobItem:
    return JobItem(
        n=3, uuid="t", name="shop.order", state=state, began=began, outcome="sent", detail=""
    )  # fmt: skip


def standing(
    state: str, *, started: float | None = None, finished: bool = False, eta: bool = False
) -> Standing:
    return Standing("shop.order", state, finished, "w1@h", started, eta, 10.0)


WAITS, RUNS = standing("PENDING"), standing("STARTED", started=9.0)
REVOKED = standing("REVOKED", finished=True)


@pytest.mark.parametrize(
    ("before", "now", "answer", "fate"),
    [
        (item(), WAITS, CONFIRMED, Fate.REVOKED),
        (item(), WAITS, SILENT, Fate.FAILED),
        (item(), REVOKED, CONFIRMED, Fate.REVOKED),
        # a worker has thrown it away: whoever was silent can't start it any more
        (item(), REVOKED, SILENT, Fate.REVOKED),
        (item(), RUNS, CONFIRMED, Fate.STARTED),
        (item(), RUNS, SILENT, Fate.STARTED),
        (item(), standing("SUCCESS", started=9.0, finished=True), CONFIRMED, Fate.STARTED),
        (item("STARTED", 9.0), RUNS, CONFIRMED, Fate.STARTED),
        (item("STARTED", 9.0), standing("REVOKED", started=9.0, finished=True), SIGNALLED, Fate.TERMINATED),
        (item("STARTED", 9.0), RUNS, SIGNALLED, Fate.STARTED),
        # it ended by itself before the signal came
        (item("STARTED", 9.0), standing("SUCCESS", started=9.0, finished=True), SIGNALLED, Fate.STARTED),
        (item("STARTED", 9.0), RUNS, UNABLE, Fate.STARTED),
        # it waits for its next attempt, which has not begun; then it has
        (item("RETRY", 9.0), standing("RETRY", started=9.0), CONFIRMED, Fate.REVOKED),
        (item("RETRY", 9.0), standing("STARTED", started=12.0), CONFIRMED, Fate.STARTED),
        (item(), standing("REJECTED", finished=True), CONFIRMED, Fate.ENDED),
        (item(None), None, CONFIRMED, Fate.REVOKED),
        (item(None), None, SILENT, Fate.FAILED),
        (item(), standing("RECEIVED"), CONFIRMED, Fate.REVOKED),
    ],
)
def test_a_tasks_fate(before: JobItem, now: Standing | None, answer: Answer, fate: Fate) -> None:
    change = judge(before, now, answer, missed=9.9)
    assert (change.n, change.outcome) == (3, fate)
    if fate is Fate.FAILED:
        assert change.detail == "not confirmed by w2@h"


def test_what_a_pool_holds_that_does_not_look_again_is_not_called_revoked() -> None:
    blind = frozenset({"w1@h"})
    change = judge(item(), standing("RECEIVED"), CONFIRMED, blind=blind)
    assert (change.outcome, change.detail) == (
        Fate.FAILED, "w1@h holds it and does not look again before it starts it",
    )  # fmt: skip
    # one with an ETA is looked at when its time comes, and one that waits in its queue when it is taken
    assert judge(item(), standing("RECEIVED", eta=True), CONFIRMED, blind=blind).outcome == Fate.REVOKED
    assert judge(item(), WAITS, CONFIRMED, blind=blind).outcome == Fate.REVOKED


def test_a_task_that_may_have_run_while_events_were_missed_is_not_called_revoked() -> None:
    gaps = [
        Gap(start=1.0, end=5.0, cause="monitor-down"),
        Gap(start=6.0, end=12.0, cause="broker-lost"),
        Gap(start=15.0, end=16.0, cause="monitor-down", lossy=False),
    ]
    missed = missed_until(gaps)
    assert missed == 12.0
    assert judge(item(), WAITS, CONFIRMED, missed=missed) == Change(3, Fate.FAILED, MISSED)
    # what a worker has told since is known
    assert judge(item(), REVOKED, CONFIRMED, missed=missed).outcome == Fate.REVOKED
    assert judge(item(), RUNS, CONFIRMED, missed=missed).outcome == Fate.STARTED
    # the gap had ended before its last event
    assert judge(item(), WAITS, CONFIRMED, missed=missed_until(gaps[:1])).outcome == Fate.REVOKED
    assert missed_until([]) == 0.0
    assert missed_until([Gap(start=1.0, end=None, cause="broker-lost")]) == math.inf


def test_what_a_worker_says_that_it_runs_has_started_whatever_events_say() -> None:
    change = judge(item(), WAITS, CONFIRMED, runs=True)
    assert (change.outcome, change.detail) == (Fate.STARTED, "its worker runs it, and sent no event of it")
    assert judge(item(None), None, CONFIRMED, runs=True).outcome == Fate.STARTED
    assert judge(item(), WAITS, UNABLE, runs=True).detail == "w1@h can't end it"
    # it has been ended since, by the job's signal or by somebody else
    assert judge(item(), REVOKED, SIGNALLED, runs=True).outcome == Fate.TERMINATED
    assert judge(item(), REVOKED, CONFIRMED, runs=True).outcome == Fate.STARTED
    assert judge(item("STARTED", 9.0), RUNS, CONFIRMED, runs=True).detail == ""


@pytest.mark.parametrize(
    ("outcomes", "word", "line"),
    [
        ({"revoked": 9_990, "started": 10}, "confirmed", "9,990 revoked before start, 10 already started"),
        ({"revoked": 1, "failed": 2}, "partly", "1 revoked before start, 2 failed"),
        ({"failed": 2}, "silent", "2 failed"),
        ({"not_sent": 2}, "refused", "2 not sent"),
    ],
)
def test_the_whole_in_one_line(outcomes: dict[str, int], word: str, line: str) -> None:
    assert (outcome_word(outcomes), sum_up(outcomes)) == (word, line)
