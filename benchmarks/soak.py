"""Claim: Umbel's memory does not grow with time: at an even rate, while pages and metrics are asked, it stays flat.

Memory is the sum of the proportional set sizes of the process tree, looked at after each minute of events and between
two floods of work: unlike `memory`, nothing waits until it is quiet, for a busy monitor never is.
"""

import time
from collections.abc import Sequence

from benchmarks.memory import MEGABYTE, find_growth
from benchmarks.report import Report, make_parser, say
from benchmarks.run import Run, Setting, finish_pacing

#: Events a second.
RATE = 1500
#: What a page and Prometheus ask, every `PAUSE` seconds.
TARGETS = ("/api/tasks?limit=100", "/api/v1/tasks", "/workers?json=1", "/metrics")
PAUSE = 5.0


def take_minute(run: Run) -> None:
    """Send a minute of events at an even rate, and ask what is asked all day meanwhile."""
    _, path = run.spool(RATE * 60, RATE)
    pacer = run.start_pacing(path, RATE)
    while pacer.poll() is None:
        for target in TARGETS:
            status, _ = run.subject.fetch(target)
            if status != 200:
                raise ValueError(f"{target} was answered with {status}")
        time.sleep(PAUSE)
    finish_pacing(pacer)
    path.unlink()


def soak(report: Report, run: Run, minutes: int) -> Sequence[tuple[int, int]]:
    """Return the minutes that passed and the memory after each."""
    steps = []
    for minute in range(1, minutes + 1):
        take_minute(run)
        each = [int(process.memory_full_info().pss) for process in run.subject.walk_processes()]
        steps.append((minute, sum(each)))
        cells = [f"{memory / MEGABYTE:.0f}" for memory in (*each, sum(each))]
        report.add_row(str(minute), f"{run.tasks:,}", *cells)
    return steps


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return 1 when Umbel lost an event."""
    parser = make_parser("soak", __doc__)
    parser.add_argument("--minutes", type=int, help="how long (default 60, quick 8)")
    chosen = parser.parse_args(argv)
    minutes = chosen.minutes or (8 if chosen.quick else 60)
    report = Report(
        f"Memory at {RATE:,} events/s",
        ("minute", "tasks", "web MB", "collector MB", "writer MB", "in all MB"),
    )
    say(f"{minutes} minutes at {RATE:,} events/s")
    with Run(Setting("umbel")) as run:
        steps = soak(report, run, minutes)
        run.subject.wait_until_quiet()
        report.require("events and rows lost", run.count_lost())
    report.claim_at_most("growth of memory over the last half", find_growth(steps) * 100, 5, "%")
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
