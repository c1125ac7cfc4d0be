"""Claim: Umbel's memory does not grow with its history: 250 MB with a million tasks, 160 MB with none.

Memory is the sum of the proportional set sizes of the process tree, looked at after every burst. A task takes at
most 1.3 kB on disk and, where there is a search index, 2 kB with it.
"""

import time
from collections.abc import Sequence

from benchmarks.report import Report, make_parser, say
from benchmarks.run import Run, Setting
from benchmarks.subject import Kind
from umbel.config.table import OPTIONS

#: Options that leave the search index out.
WITHOUT_INDEX = ("--search_index=false",)
MEGABYTE = 1e6
#: Looks at the memory on the way.
STEPS = 12
#: Seconds until what a burst took is given back, once the search index rests too.
GIVEN_BACK = 6.0


def grow(report: Report, run: Run, tasks: int, title: str) -> list[tuple[int, int]]:
    """Fill a history burst by burst; return tasks and memory after each, the first one empty."""
    subject = run.subject
    subject.wait_until_quiet()
    steps = [(0, subject.measure_memory())]
    report.add_row(title, "0", f"{steps[0][1] / MEGABYTE:.0f}", "")
    for number in range(1, STEPS + 1):
        run.fill(tasks * number // STEPS)
        subject.wait_until_quiet()
        time.sleep(GIVEN_BACK)
        steps.append((run.tasks, subject.measure_memory()))
        size = subject.measure_files()
        each = f"{size / run.tasks:,.0f}" if size else ""
        report.add_row(title, f"{run.tasks:,}", f"{steps[-1][1] / MEGABYTE:.0f}", each)
    return steps


def find_growth(steps: Sequence[tuple[int, int]]) -> float:
    """Return by what share the highest memory of the last quarter is above the highest of the one before it.

    Both lie in the last half of the history; what is flat there stays flat.
    """
    whole = steps[-1][0]
    third = [memory for tasks, memory in steps if whole / 2 <= tasks < whole * 3 / 4]
    fourth = [memory for tasks, memory in steps if tasks >= whole * 3 / 4]
    if not third:
        raise ValueError("too few steps to tell whether memory grows")
    return max(fourth) / max(third) - 1


def measure(report: Report, kind: Kind, tasks: int, options: tuple[str, ...], title: str) -> Sequence[float]:
    """Return memory empty and full and growth over the last half, as bytes and a share, and bytes of file a task."""
    say(f"{title}: to {tasks:,} tasks")
    with Run(Setting(kind, options=options)) as run:
        steps = grow(report, run, tasks, title)
        if kind == "umbel":
            report.require(f"{title}, events and rows lost", run.count_lost())
        return steps[0][1], steps[-1][1], find_growth(steps), run.subject.measure_files() / run.tasks


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return 1 when Umbel lost an event."""
    parser = make_parser("memory", __doc__)
    parser.add_argument("--tasks", type=int, help="tasks of the history (default 1,000,000, quick 100,000)")
    parser.add_argument(
        "--no-flower", action="store_true", help="leave out Flower with 100,000 tasks (2 minutes)"
    )
    chosen = parser.parse_args(argv)
    report = Report("Memory and file", ("monitor", "tasks", "PSS MB", "bytes a task on disk"))
    tasks = chosen.tasks or (100_000 if chosen.quick else 1_000_000)
    empty, full, growth, each = measure(report, "umbel", tasks, (), "umbel")
    report.claim_at_most("memory, idle and empty", empty / MEGABYTE, 160, "MB")
    report.claim_at_most(f"memory with {tasks:,} tasks", full / MEGABYTE, 250, "MB")
    report.claim_at_most("growth of memory over the last half", growth * 100, 5, "%")
    if "search_index" in OPTIONS:
        report.claim_at_most("bytes a task on disk, with the search index", each, 2000, "B")
        fewer = min(tasks, 200_000)
        *_, each = measure(report, "umbel", fewer, WITHOUT_INDEX, "umbel, no search index")
    report.claim_at_most("bytes a task on disk, without the search index", each, 1300, "B")
    if not chosen.no_flower:
        held = min(tasks, 100_000)
        bare, flower, *_ = measure(report, "flower", held, (), "flower")
        report.note(f"Flower with {held:,} tasks: {(flower - bare) / held / 1000:.1f} kB a task in memory")
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
