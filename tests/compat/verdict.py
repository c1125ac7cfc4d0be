"""Runs all cases against a cluster and sorts the differences into meant ones and deviations."""

import time
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import translate
from functools import cache
from pathlib import Path
from re import Pattern, compile
from zoneinfo import ZoneInfo

from tests.compat.cases import Case, walk_cases
from tests.compat.client import fetch
from tests.compat.cluster import ZONE, Cluster, Monitor
from tests.compat.compare import Difference, compare

ALLOWED = Path(__file__).with_name("allowed.toml")
#: A heartbeat or an event may fall between the two requests, so a difference must last.
ROUNDS = 3
PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """A difference that is meant: which cases, which fields (globs), what Umbel does instead, and why."""

    id: str
    cases: tuple[str, ...]
    fields: tuple[str, ...]
    flower: str
    umbel: str
    reason: str
    #: Of nearly every answer, so that the table only mentions it once.
    everywhere: bool

    def covers(self, case: Case, difference: Difference) -> bool:
        """Tell whether this difference of this case is meant."""
        return any(make_glob(glob).match(case.name) for glob in self.cases) and any(
            make_glob(glob).match(difference.field) for glob in self.fields
        )


@cache
def make_glob(glob: str) -> Pattern[str]:
    """Return a glob in which only `*` is special: targets and fields are full of `?` and `[`."""
    return compile(translate(glob.replace("[", "[[]").replace("?", "[?]")))


@dataclass(slots=True)
class Outcome:
    """What came of one case."""

    case: Case
    used: list[Allowance] = field(default_factory=list)
    deviations: list[Difference] = field(default_factory=list)


def read_allowances(path: Path = ALLOWED) -> tuple[Allowance, ...]:
    """Return the allow-list."""
    entries = tomllib.loads(path.read_text())["difference"]
    return tuple(
        Allowance(
            id=entry["id"],
            cases=tuple(entry["cases"]),
            fields=tuple(entry["fields"]),
            flower=entry["flower"],
            umbel=entry["umbel"],
            reason=entry["reason"],
            everywhere=entry.get("everywhere", False),
        )
        for entry in entries
    )


def run_cases(
    cluster: Cluster, ids: Mapping[str, str], allowances: Sequence[Allowance], pattern: str = "*"
) -> list[Outcome]:
    """Ask both monitors every case whose name fits `pattern`; a difference counts only if it lasts."""
    words = {**ids, **make_times()}
    wanted = make_glob(pattern)
    cases = {case.name: case for case in walk_cases() if wanted.match(case.name)}
    outcomes = {
        name: judge(case, cluster.pairs[case.variant], words, allowances) for name, case in cases.items()
    }
    for _ in range(ROUNDS):
        again = [name for name, outcome in outcomes.items() if outcome.deviations]
        if not again:
            break
        time.sleep(PAUSE)
        for name in again:
            outcomes[name] = judge(cases[name], cluster.pairs[cases[name].variant], words, allowances)
    return list(outcomes.values())


def judge(
    case: Case, pair: tuple[Monitor, Monitor], words: Mapping[str, str], allowances: Sequence[Allowance]
) -> Outcome:
    """Ask `case` once and return what came of it."""
    outcome = Outcome(case)
    with ThreadPoolExecutor(2) as pool:
        flower, candidate = pool.map(lambda monitor: fetch(case, monitor, words), pair)
    for difference in compare(case, flower, candidate):
        meant = [allowance for allowance in allowances if allowance.covers(case, difference)]
        outcome.used += meant
        if not meant:
            outcome.deviations.append(difference)
    return outcome


def make_times() -> dict[str, str]:
    """Return the local times that targets name, in the zone of the monitors, ready for a query string."""
    now = datetime.now(ZoneInfo(ZONE))
    moments = {"now": now, "hour_ago": now - timedelta(hours=1), "in_an_hour": now + timedelta(hours=1)}
    return {name: moment.strftime("%Y-%m-%d%%20%H:%M") for name, moment in moments.items()}
