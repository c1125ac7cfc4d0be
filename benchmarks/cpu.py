"""Claim: Umbel spends at most a twelfth of Flower's CPU on an event, no more than Flower when idle, half on heartbeats.

Both hold what Flower holds at most. CPU is that of the whole process tree, the search index's work included. `ingest`
gives the cost in a burst; this gives it at an even rate that Flower can still follow, where little can be put together.
"""

import time
from contextlib import ExitStack

from benchmarks.ingest import PAST_CAP
from benchmarks.report import Report, make_parser, say
from benchmarks.run import Run, Setting, finish_pacing
from benchmarks.subject import KINDS, Kind

#: Events a second that Flower still follows at its cap.
RATE = 1_500
#: The step in which the system tells CPU times, seconds.
TICK = 0.01
#: Seconds after the last event until nothing comes of it any more: Umbel gives up the open tasks of workers that have
#: been gone for a minute.
SETTLE = 90.0
#: A fleet whose workers only beat, every 2 s.
WORKERS = 1_000


def measure_idle(run: Run, seconds: float) -> float:
    """Return the share of a core used while nothing happens and nobody looks; of both measures the larger.

    The finer one forgets threads that have ended.
    """
    subject = run.subject
    coarse, fine, began = subject.measure_cpu(), subject.measure_run_time(), time.monotonic()
    time.sleep(seconds)
    used = max(subject.measure_cpu() - coarse - TICK, subject.measure_run_time() - fine)
    return used / (time.monotonic() - began)


def measure_heartbeats(run: Run, seconds: float) -> tuple[float, int]:
    """Return the share of a core that `WORKERS` idle workers cost, and how many of their heartbeats are missing."""
    path = run.spool_heartbeats(WORKERS, seconds)
    before = run.subject.fetch_gauge("umbel_events_total")
    cpu, began = run.subject.measure_cpu(), time.monotonic()
    paced = finish_pacing(run.start_pacing(path, WORKERS / 2))
    time.sleep(2)
    share = (run.subject.measure_cpu() - cpu) / (time.monotonic() - began)
    path.unlink()
    after = run.subject.fetch_gauge("umbel_events_total")
    missing = 0 if before is None or after is None else max(0, paced.events - round(after - before))
    return share, missing


def measure(report: Report, tasks: int, seconds: float) -> None:
    """Fill both, then measure each in turn."""
    runs = {kind: Run(Setting(kind)) for kind in KINDS}
    found: dict[Kind, dict[str, float]] = {kind: {} for kind in KINDS}
    with ExitStack() as stack:
        for kind, run in runs.items():
            stack.enter_context(run)
            say(f"{kind}: filling to {tasks:,} tasks")
            run.fill(tasks)
            run.subject.wait_until_quiet()
        time.sleep(SETTLE)
        for kind, run in runs.items():
            found[kind]["idle"] = measure_idle(run, seconds)
            report.add_row("idle, % of a core", kind, f"{found[kind]['idle'] * 100:.3f}")
        for kind, run in runs.items():
            paced = run.take_load(round(RATE * seconds), RATE)
            found[kind]["paced"] = paced.cost
            report.add_row(f"{RATE:,} events/s, CPU s/100k", kind, f"{paced.cost:.2f}")
            if kind == "umbel":
                report.require("events and rows that Umbel lost", paced.lost)
        for kind, run in runs.items():
            found[kind]["beats"], missing = measure_heartbeats(run, seconds)
            report.add_row(
                f"{WORKERS:,} workers' heartbeats, % of a core", kind, f"{found[kind]['beats'] * 100:.2f}"
            )
            if kind == "umbel":
                report.require("heartbeats that Umbel missed", missing)
    flower, umbel = found["flower"], found["umbel"]
    report.claim_at_most(
        "idle CPU against Flower's", umbel["idle"] * 100, flower["idle"] * 100, "% of a core"
    )
    paced_ratio = flower["paced"] / umbel["paced"]
    report.claim_at_least(f"Flower's CPU per event against Umbel's, {RATE:,} events/s", paced_ratio, 12)
    report.claim_at_most("CPU of heartbeats against Flower's", umbel["beats"] / flower["beats"], 0.5, "×")


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return 1 when Umbel lost an event."""
    parser = make_parser("cpu", __doc__)
    parser.add_argument("--tasks", type=int, help=f"tasks held (default {PAST_CAP:,}, quick 10,000)")
    parser.add_argument("--seconds", type=float, help="of each measurement (default 30, quick 10)")
    chosen = parser.parse_args(argv)
    report = Report("CPU", ("what", "monitor", "used"))
    tasks = chosen.tasks or (10_000 if chosen.quick else PAST_CAP)
    measure(report, tasks, chosen.seconds or (10.0 if chosen.quick else 30.0))
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
