"""Claim: killed with a million tasks held, Umbel shows the newest 100 again 2 s after its start, and none is lost.

Each kill comes 1 s after a burst, so that the file is left as work left it. The clock runs from exec to the answer of
`/api/tasks?limit=100`. Afterwards rows are compared with the events that were sent for them.
"""

import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.event_stream import Event
from benchmarks.histories import use_history
from benchmarks.report import Report, make_parser
from benchmarks.run import Run, Setting
from benchmarks.subject import Subject, wait_until

#: Seconds between an event that is visible and a kill that it must survive.
SETTLED = 1.0
#: Events of a burst before each kill.
EVENTS = 10_000
#: What stands beside this word is blanked out before it is stored: such texts are not compared.
SECRET = "token"


def restart(subject: Subject) -> float:
    """Kill the monitor and start it again; return the seconds from exec to the newest 100."""
    subject.kill9()
    began = time.monotonic()
    subject.launch()
    wait_until(lambda: shows_newest(subject), 120, "the newest 100", pause=0.01)
    return time.monotonic() - began


def shows_newest(subject: Subject) -> bool:
    """Tell whether it answers with 100 tasks."""
    try:
        status, body = subject.fetch("/api/tasks?limit=100")
    except OSError:
        return False
    return status == 200 and len(json.loads(body)) == 100


def find_wrong(subject: Subject, sample: dict[str, list[Event]]) -> list[str]:
    """Return the tasks whose rows do not show what was sent for them."""
    return [task for task, events in sample.items() if differs(subject.fetch_task(task), events)]


def differs(row: dict[str, Any] | None, events: Sequence[Event]) -> bool:
    """Tell whether a row shows anything else than its task's events, which came in order."""
    if row is None:
        return True
    for event in events:
        kind = event["type"].removeprefix("task-")
        latest = max(other["timestamp"] for other in events if other["type"] == event["type"])
        if row[kind] is None or abs(row[kind] - latest) > 0.001:
            return True
    first, last = events[0], events[-1]
    texts = [(key, first[key]) for key in ("name", "args", "kwargs")]
    texts += [(key, last[key]) for key in ("result", "exception", "traceback") if key in last]
    state = last["type"].removeprefix("task-").upper()
    wanted = {"SENT": "PENDING", "SUCCEEDED": "SUCCESS", "FAILED": "FAILURE", "RETRIED": "RETRY"}.get(
        state, state
    )
    return row["state"] != wanted or any(row[key] != text for key, text in texts if SECRET not in text)


def measure(report: Report, history: Path, times: int) -> None:
    """Kill and start `times` times, then compare rows and sums with what was sent."""
    with Run(Setting("umbel"), history=history, sampled=50) as run:
        subject = run.subject
        subject.wait_until_quiet(7200)  # a search index is built first, as it would have been long ago
        seconds = []
        for number in range(times):
            run.wait_until_visible(run.send_burst(EVENTS))
            time.sleep(SETTLED)
            seconds.append(restart(subject))
            report.add_row(f"{number + 1}", f"{run.held:,}", f"{seconds[-1]:.2f}")
            subject.wait_until_ready()
        report.claim_at_most(
            f"from exec to the newest 100 of {run.held:,}, median of {times}",
            statistics.median(seconds),
            2,
            "s",
        )
        report.require("events and rows lost over the kills", run.count_lost())
        wrong = find_wrong(subject, run.sample)
        report.require(f"of {len(run.sample):,} rows looked at, different from what was sent", len(wrong))


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return 1 when a row was lost or wrong."""
    parser = make_parser("restart", __doc__)
    parser.add_argument("--tasks", type=int, help="tasks held (default 1,000,000, quick 100,000)")
    parser.add_argument("--times", type=int, default=5, help="kills (default 5)")
    chosen = parser.parse_args(argv)
    report = Report("Restart after kill -9", ("kill", "tasks", "seconds"))
    with use_history(chosen.tasks or (100_000 if chosen.quick else 1_000_000)) as history:
        measure(report, history, chosen.times)
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
