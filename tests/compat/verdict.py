"""Runs all cases against a cluster and sorts the differences into meant ones and deviations.

What stands still is asked once. What moves (heartbeats, inspections) is only judged when both monitors have answered
out of the same events, and a difference there counts if it lasts.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tests.compat.allowances import Allowance, make_glob
from tests.compat.cases import Case, list_cases
from tests.compat.client import Answer, fetch
from tests.compat.cluster import WORKERS, ZONE, Cluster, Monitor
from tests.compat.compare import compare
from tests.compat.heartbeats import count_heartbeats

#: How often, and after how many seconds, what moves is asked again after a difference.
ROUNDS = 10
PAUSE = 1.0
#: Seconds in which both monitors have to answer out of the same heartbeats once.
PATIENCE = 60.0


@dataclass(slots=True)
class Outcome:
    """What came of one case."""

    case: Case
    used: list[Allowance] = field(default_factory=list)
    deviations: list[str] = field(default_factory=list)


def run_cases(
    cluster: Cluster,
    ids: Mapping[str, str],
    allowances: Sequence[Allowance],
    pattern: str = "*",
    cases: Sequence[Case] | None = None,
) -> list[Outcome]:
    """Ask both monitors every one of `cases` whose name fits `pattern`; the reads unless they are given."""
    words = {**ids, **make_times()}
    wanted = make_glob(pattern)
    outcomes = []
    for case in list_cases() if cases is None else cases:
        if not wanted.match(case.name):
            continue
        pair = cluster.pairs[case.variant]
        outcome = judge(case, *ask_both(case, pair, words), allowances)
        for _ in range(ROUNDS if case.moves else 0):
            if not outcome.deviations:
                break
            time.sleep(PAUSE)
            outcome = judge(case, *ask_both(case, pair, words), allowances)
        outcomes.append(outcome)
    return outcomes


def judge(case: Case, flower: Answer, candidate: Answer, allowances: Sequence[Allowance]) -> Outcome:
    """Return what came of `case`: every difference is meant, and every meant one is there."""
    outcome = Outcome(case)
    for difference in compare(case, flower, candidate):
        meant = [allowance for allowance in allowances if allowance.covers(case, difference)]
        outcome.used += meant
        if not meant:
            outcome.deviations.append(str(difference))
    outcome.deviations += [
        f"{allowance.id}: not seen, although the allow-list says that it always shows here"
        for allowance in allowances
        if allowance.always_applies_to(case) and not allowance.everywhere and allowance not in outcome.used
    ]
    return outcome


def ask_both(case: Case, pair: tuple[Monitor, Monitor], words: Mapping[str, str]) -> tuple[Answer, Answer]:
    """Ask both monitors at once; where answers count heartbeats, until both count the same ones."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with ThreadPoolExecutor(2) as pool:
            flower, candidate = pool.map(lambda monitor: fetch(case, monitor, words), pair)
        heard = [
            count_heartbeats(answer.text, WORKERS) if case.moves else None for answer in (flower, candidate)
        ]
        if heard[0] == heard[1] or time.monotonic() > deadline:
            return flower, candidate
        time.sleep(0.1)


def make_times() -> dict[str, str]:
    """Return the local times that targets name, in the zone of the monitors, ready for a query string."""
    now = datetime.now(ZoneInfo(ZONE))
    moments = {"now": now, "hour_ago": now - timedelta(hours=1), "in_an_hour": now + timedelta(hours=1)}
    return {name: moment.strftime("%Y-%m-%d%%20%H:%M") for name, moment in moments.items()}
