"""Claim: Umbel stays as it is: at an even rate, with a bound of tasks, while pages and metrics are asked, neither its
memory nor its file grows, and retention holds nobody up.

Memory is the sum of the proportional set sizes of the process tree, looked at after each minute of events: unlike in
`memory`, nothing waits until it is quiet, for a busy monitor never is.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple, get_args

from benchmarks.memory import MEGABYTE, find_growth
from benchmarks.report import Report, make_parser, say
from benchmarks.run import BrokerKind, Run, Setting, finish_pacing

#: Events a second, and tasks kept: as many as come within nine minutes.
RATE, MAX_TASKS = 1500, 200_000
#: What a page and Prometheus ask, every `PAUSE` seconds.
TARGETS = ("/api/tasks?limit=100", "/api/v1/tasks", "/workers?json=1", "/metrics")
PAUSE = 1.0


class Minute(NamedTuple):
    """What was seen after a minute of events, or during it."""

    #: Bytes of the server, the collector, and the process that writes.
    memory: Sequence[int]
    file: int
    #: The longest that events took to be stored, seconds.
    lag: float


def take_minute(run: Run) -> Minute:
    """Send a minute of events at an even rate, and ask what is asked all day meanwhile."""
    subject = run.subject
    _, path = run.spool(RATE * 60, RATE)
    pacer = run.start_pacing(path, RATE)
    lag = 0.0
    while pacer.poll() is None:
        lag = max(lag, subject.fetch_gauge("umbel_ingest_lag_seconds") or 0.0)
        for target in TARGETS:
            status, _ = subject.fetch(target)
            if status != 200:
                raise ValueError(f"{target} was answered with {status}")
        time.sleep(PAUSE)
    finish_pacing(pacer)
    path.unlink()
    memory = [int(process.memory_full_info().pss) for process in subject.walk_processes()]
    return Minute(memory, subject.history.stat().st_size, lag)


def soak(report: Report, run: Run, minutes: int) -> Sequence[Minute]:
    """Return what each of the minutes was like."""
    seen = []
    for number in range(1, minutes + 1):
        minute = take_minute(run)
        seen.append(minute)
        sizes = [f"{size / MEGABYTE:.0f}" for size in (*minute.memory, sum(minute.memory), minute.file)]
        report.add_row(str(number), f"{run.subject.count_tasks():,}", *sizes, f"{minute.lag:.2f}")
    return seen


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return 1 when Umbel lost an event."""
    parser = make_parser("soak", __doc__)
    parser.add_argument("--minutes", type=int, help="how long (default 40, quick 8)")
    parser.add_argument("--broker", choices=get_args(BrokerKind), default="redis")
    chosen = parser.parse_args(argv)
    minutes = chosen.minutes or (8 if chosen.quick else 40)
    bound = MAX_TASKS // 5 if chosen.quick else MAX_TASKS
    report = Report(
        f"{RATE:,} events/s on {chosen.broker}, {bound:,} tasks kept",
        ("minute", "tasks", "web MB", "collector MB", "writer MB", "memory MB", "file MB", "lag s"),
    )
    say(f"{minutes} minutes at {RATE:,} events/s")
    with Run(Setting("umbel", broker=chosen.broker, options=(f"--max_tasks={bound}",))) as run:
        seen = soak(report, run, minutes)
        run.subject.wait_until_quiet()
        report.require("events lost", run.count_lost_events())
    memory = [(number, sum(minute.memory)) for number, minute in enumerate(seen, 1)]
    file = [(number, minute.file) for number, minute in enumerate(seen, 1)]
    report.claim_at_most("growth of memory over the last half", find_growth(memory) * 100, 5, "%")
    report.claim_at_most("growth of the file over the last half", find_growth(file) * 100, 5, "%")
    report.claim_at_most("longest time to be stored", max(minute.lag for minute in seen), 3, "s")
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
