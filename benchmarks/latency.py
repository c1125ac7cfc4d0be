"""Claim: Umbel answers 10 to 15 times as fast as Flower, and from millions of tasks as fast as from 100,000.

Requests are the same for both, put in turn over one kept connection each. Warm is the median of many; cold is the first
of its kind after a start, with the files out of the system's cache (Flower starts with `--persistent`, else it would
have nothing to show). Every answer is checked for its number of rows.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.histories import UNBOUND, use_history
from benchmarks.questions import FLEET, FLEET_QUESTIONS, TASK_QUESTIONS, Asker, Question, ask_in_turn
from benchmarks.report import Report, find_percentile, make_parser, say
from benchmarks.run import Run, Setting
from benchmarks.subject import KINDS

HEADERS = ("question", "Flower p50", "p99", "Umbel p50", "p99 ms", "ratio of p50")
#: Both keep their history over a restart.
PERSISTENT = ("--persistent=true",)
#: Tasks of the large fleet: enough for every worker to have run most of the ten kinds.
FLEET_TASKS = 10_000

Times = dict[str, list[float]]


@dataclass(slots=True)
class Pair:
    """Flower and Umbel with the same tasks, and a client for each."""

    runs: dict[str, Run]
    askers: dict[str, Asker] = field(default_factory=dict)

    def fill(self, tasks: int) -> None:
        """Give both the same tasks and let them finish their work."""
        for kind, run in self.runs.items():
            say(f"{kind}: filling to {tasks:,} tasks")
            run.fill(tasks)
            run.subject.wait_until_quiet()
            self.askers[kind] = Asker(run.subject.port)

    def ask_cold(self, questions: Sequence[Question], times: int) -> dict[str, Times]:
        """Start both anew `times` times; return the first answer's time of each question, in a new order each time."""
        found: dict[str, Times] = {kind: {} for kind in self.runs}
        for number in range(times):
            turn = [*questions[number % len(questions) :], *questions[: number % len(questions)]]
            for kind, run in self.runs.items():
                restart_cold(run)
                asker = self.askers[kind]
                asker.forget()
                for question in turn:
                    found[kind].setdefault(question.name, []).append(asker.ask(question))
        return found

    def ask_warm(self, questions: Sequence[Question], patience: float) -> dict[str, Times]:
        """Return the times of many requests, after a few that do not count."""
        ask_in_turn(self.askers, questions, patience=0, most=3)
        for asker in self.askers.values():
            asker.forget()
        ask_in_turn(self.askers, questions, patience=patience)
        return {kind: asker.seconds for kind, asker in self.askers.items()}


def restart_cold(run: Run) -> None:
    """Stop the monitor in peace, take its files out of the system's cache, start it, and let it finish its start."""
    subject = run.subject
    subject.stop(timeout=300)
    for path in subject.folder.glob("history*"):
        forget_pages(path)
    subject.start()
    subject.wait_until_quiet()


def forget_pages(path: Path) -> None:
    """Have the system drop what it keeps of a file in memory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def write_ms(seconds: Sequence[float], share: float) -> str:
    """Return a percentile in milliseconds."""
    return f"{find_percentile(seconds, share) * 1000:.2f}"


def compare(report: Report, title: str, found: Mapping[str, Times], questions: Sequence[Question]) -> None:
    """Show and judge the times of both."""
    for question in questions:
        flower, umbel = found["flower"][question.name], found["umbel"][question.name]
        ratio = find_percentile(flower, 0.5) / find_percentile(umbel, 0.5)
        cells = [write_ms(times, share) for times in (flower, umbel) for share in (0.5, 0.99)]
        report.add_row(f"{question.name}, {title}", *cells, f"{ratio:.1f}")
        report.claim_at_least(f"{question.name}, {title}, p50 against Flower", ratio, question.ratio)


def measure_pair(report: Report, tasks: int, *, times: int, patience: float) -> None:
    """Questions about tasks, cold and warm."""
    with ExitStack() as stack:
        pair = Pair({kind: stack.enter_context(Run(Setting(kind, options=PERSISTENT))) for kind in KINDS})
        pair.fill(tasks)
        compare(report, "cold", pair.ask_cold(TASK_QUESTIONS, times), TASK_QUESTIONS)
        compare(report, "warm", pair.ask_warm(TASK_QUESTIONS, patience), TASK_QUESTIONS)
        require_right(report, pair.askers)


def measure_fleet(report: Report, *, times: int, patience: float) -> None:
    """Questions about a thousand workers, warm; and cold, but for metrics, which Flower forgets with each start."""
    with ExitStack() as stack:
        settings = {kind: Setting(kind, workers=FLEET, options=PERSISTENT) for kind in KINDS}
        pair = Pair({kind: stack.enter_context(Run(setting)) for kind, setting in settings.items()})
        pair.fill(FLEET_TASKS)
        warm = pair.ask_warm(FLEET_QUESTIONS, patience)
        cold = pair.ask_cold(FLEET_QUESTIONS[:1], times)
        compare(report, "cold", cold, FLEET_QUESTIONS[:1])
        compare(report, "warm", warm, FLEET_QUESTIONS)
        require_right(report, pair.askers)


def measure_growth(report: Report, sizes: Sequence[int], patience: float) -> None:
    """Umbel's own times with larger histories against the smallest of them."""
    with ExitStack() as stack:
        askers = {}
        for size in sizes:
            history = stack.enter_context(use_history(size))
            run = stack.enter_context(Run(Setting("umbel", options=UNBOUND), history=history))
            run.subject.wait_until_quiet(3600)
            askers[f"{size:,}"] = Asker(run.subject.port)
        ask_in_turn(askers, TASK_QUESTIONS, patience=0, most=3)
        for asker in askers.values():
            asker.forget()
        ask_in_turn(askers, TASK_QUESTIONS, patience=patience)
    smallest = f"{sizes[0]:,}"
    for question in TASK_QUESTIONS:
        least = find_percentile(askers[smallest].seconds[question.name], 0.5)
        for label, asker in askers.items():
            times = asker.seconds[question.name]
            ratio = find_percentile(times, 0.5) / least
            cells = (write_ms(times, 0.5), write_ms(times, 0.99), f"{ratio:.2f} of {smallest}")
            report.add_row(f"{question.name}, {label} tasks", "", "", *cells)
            if label != smallest:
                claim = f"{question.name}, {label} tasks against {smallest}, p50"
                report.claim_at_most(claim, ratio, 2, "×")
    require_right(report, askers)


def require_right(report: Report, askers: Mapping[str, Asker]) -> None:
    """Fail where an answer had another number of rows than it should."""
    for name, asker in askers.items():
        report.require(f"wrong answers of {name}", asker.wrong)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return 1 when an answer was wrong."""
    parser = make_parser("latency", __doc__)
    parser.add_argument("--tasks", type=int, help="tasks that both hold (default 100,000, quick 10,000)")
    parser.add_argument(
        "--huge", action="store_true", help="Umbel with 10,000,000 tasks as well (40 GB of disk)"
    )
    parser.add_argument("--only", choices=("pair", "fleet", "growth"), help="leave the other parts out")
    chosen = parser.parse_args(argv)
    report = Report("HTTP latency, milliseconds", HEADERS)
    tasks, patience, times = (10_000, 3.0, 1) if chosen.quick else (100_000, 20.0, 6)
    if chosen.only in (None, "pair"):
        measure_pair(report, chosen.tasks or tasks, times=times, patience=patience)
    if chosen.only in (None, "fleet"):
        measure_fleet(report, times=times, patience=patience)
    if chosen.only in (None, "growth"):
        sizes = [100_000, 1_000_000, *([10_000_000] if chosen.huge else [])]
        measure_growth(report, [10_000, 100_000] if chosen.quick else sizes, patience)
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
