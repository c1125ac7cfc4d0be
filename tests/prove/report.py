"""What each proof measured, as the short tables that `make prove` prints."""

from collections import Counter

from tests.prove.bad_input import Outcome as BadInput
from tests.prove.churn import Look
from tests.prove.durability import Outcome as Durability
from tests.prove.figures import table
from tests.prove.kills import Kills
from tests.prove.outages import Outcome as Outages


def describe_durability(title: str, outcome: Durability) -> str:
    """Tasks, kills and what is missing or wrong."""
    verdict = outcome.verdict
    rows: dict[str, object] = {
        "tasks ended (ledger)": verdict.ended,
        "due: state, result, exception must be right": verdict.due,
        "of these, attempts, retries, name as well": verdict.whole,
        "missing": len(verdict.missing),
        "wrong": len(verdict.wrong),
        "not due, right all the same": verdict.right_anyway,
        "task events (recorder)": outcome.events,
        "events lost": outcome.lost,
        "earliest of them before a kill (s)": outcome.cost,
        "slowest event from worker to recorder (s)": outcome.slowest,
        "events lost outside of listed gaps": len(outcome.unexplained),
        "sums unlike their rows at the end": len(outcome.differences),
        "seconds": outcome.seconds,
    }
    for number, down in enumerate(outcome.downs, 1):
        rows[f"kill {number}: page back, ready again (s after start)"] = (
            f"{down.answered - down.started:.1f}, {down.ready - down.started:.1f}"
        )
        rows[f"kill {number}: sums unlike their rows"] = len(down.differences)
    return table(title, rows)


def describe_kills(title: str, outcome: Kills) -> str:
    """Starts after kills under load."""
    return table(title, {
        "kills": outcome.kills, "clean starts": outcome.starts,
        "slowest start to first answer (s)": outcome.slowest_start,
        "tasks stored": outcome.tasks, "events counted": outcome.events, "gaps listed": outcome.gaps,
        "recounts": outcome.recounts, "sums unlike their rows": len(outcome.differences), "seconds": outcome.seconds,
    })  # fmt: skip


def describe_outages(title: str, outcome: Outages) -> str:
    """Each absence of the broker, and how soon it was said and over."""
    rows: dict[str, object] = {}
    for number, outage in enumerate(outcome.outages, 1):
        red = "not seen" if outage.red is None else f"red after {outage.red - outage.begun:.1f} s"
        resumed = (
            "never" if outage.resumed is None else f"{outage.resumed - outage.back:.1f} s after its return"
        )
        rows[f"{number}: {outage.way}, away {outage.back - outage.begun:.1f} s"] = (
            f"{red}, events again {resumed}"
        )
    rows["outages without a gap"] = len(outcome.unlisted)
    rows["gaps listed"] = outcome.gaps
    rows["reconnects"] = outcome.reconnects
    return table(title, rows)


def describe_churn(title: str, looks: list[Look]) -> str:
    """How many names were listed over time."""
    return table(title, {
        "looks": len(looks), "most live at once": max(look.live for look in looks),
        "most listed at once": max(look.listed for look in looks), "listed in the end": looks[-1].listed,
        "live but not online": sum(len(look.missing) for look in looks),
        "listed too long": sum(len(look.stale) for look in looks),
        "in the metrics too long": sum(len(look.stale_metrics) for look in looks),
        "slowest list (s)": max(look.seconds for look in looks),
    })  # fmt: skip


def describe_bad_input(title: str, outcome: BadInput) -> str:
    """What was sent and what was counted."""
    wrong = Counter(outcome.expected)
    wrong.subtract(outcome.counted)
    return table(title, {
        "malformed messages": outcome.messages, "unreadable events in them": sum(outcome.expected.values()),
        **{f"counted as {cause}": count for cause, count in sorted(outcome.counted.items())},
        "miscounted": sum(abs(count) for count in wrong.values()),
        "valid events sent, stored": f"{outcome.valid}, {outcome.stored}",
        "reconnects": outcome.reconnects, "gaps": outcome.gaps,
        "memory before, peak (MB)": f"{outcome.before / 1e6:.0f}, {outcome.peak / 1e6:.0f}", "seconds": outcome.seconds,
    })  # fmt: skip
