"""How cost grows with the history: ingest, answers, memory and file at 10,000 to 10,000,000 tasks; a table, a picture.

Umbel begins with a history of that size (see `histories`), Flower is fed as many tasks. `--write` renews both in
`docs/explanation/growth.md`.
"""

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.histories import UNBOUND, use_history
from benchmarks.picture import Panel, draw
from benchmarks.questions import TASK_QUESTIONS, Asker, ask_in_turn
from benchmarks.report import Report, describe_machine, make_parser, say, write_table
from benchmarks.run import BURST, ROOT, Run, Setting
from benchmarks.subject import Kind

PAGE = ROOT / "docs" / "explanation" / "growth.md"
PICTURE = ROOT / "docs" / "images" / "growth.svg"
MARKS = ("<!-- growth -->\n", "<!-- /growth -->")
#: Those whose times are shown: the newest 100, the table, and a search that finds nothing.
SHOWN = tuple(TASK_QUESTIONS[number] for number in (0, 1, 5))
HEADERS = (
    "monitor",
    "tasks",
    "events/s",
    "CPU s/100k",
    *(f"{question.name}, ms" for question in SHOWN),
    "PSS MB",
    "disk MB",
)


@dataclass(frozen=True, slots=True)
class Size:
    """What a monitor costs at one size of its history."""

    kind: Kind
    tasks: int
    rate: float
    cost: float
    #: p50 of `SHOWN`, seconds.
    answers: tuple[float, ...]
    memory: int
    disk: int
    lost: int
    wrong: int

    def write_cells(self) -> tuple[str, ...]:
        """Return the cells of a row."""
        answers = (f"{seconds * 1000:.1f}" for seconds in self.answers)
        disk = f"{self.disk / 1e6:,.0f}" if self.disk else "–"
        sizes = (f"{self.memory / 1e6:,.0f}", disk)
        return self.kind, f"{self.tasks:,}", f"{self.rate:,.0f}", f"{self.cost:.2f}", *answers, *sizes


def measure(kind: Kind, tasks: int, *, events: int, patience: float, rounds: int) -> Size:
    """Bring a monitor to `tasks` tasks; ask it, look at its size, then give it bursts."""
    say(f"{kind}: {tasks:,} tasks")
    with ExitStack() as stack:
        history = stack.enter_context(use_history(tasks)) if kind == "umbel" else None
        options = () if history is None else UNBOUND
        run = stack.enter_context(Run(Setting(kind, options=options), history=history))
        run.fill(tasks)
        subject = run.subject
        subject.wait_until_quiet(7200)
        asker = Asker(subject.port)
        ask_in_turn({"": asker}, SHOWN, patience=patience)
        memory, disk = subject.measure_memory(), subject.measure_files()
        bursts = [run.take_burst(events) for _ in range(rounds)]
        return Size(
            kind=kind,
            tasks=tasks,
            rate=statistics.median(burst.rate for burst in bursts),
            cost=statistics.median(burst.cost for burst in bursts),
            answers=tuple(statistics.median(asker.seconds[question.name]) for question in SHOWN),
            memory=memory,
            disk=disk,
            lost=bursts[-1].lost,
            wrong=asker.wrong,
        )


def draw_growth(sizes: Sequence[Size]) -> str:
    """Return the picture."""
    kinds = list(dict.fromkeys(size.kind for size in sizes))
    titles = ("events a second", "newest 100, ms", "memory, MB", "disk, bytes a task")
    panels = []
    for number, title in enumerate(titles):
        lines = {}
        for kind in kinds:
            points = [(size.tasks, find_figure(size, number)) for size in sizes if size.kind == kind]
            lines[kind.capitalize()] = [(tasks, figure) for tasks, figure in points if figure]
        panels.append(Panel(title, lines))
    return draw(panels, across="tasks in the history")


def find_figure(size: Size, number: int) -> float:
    """Return what the panel of that number shows."""
    disk = size.disk / size.tasks
    return (size.rate, size.answers[0] * 1000, size.memory / 1e6, disk)[number]


def write_page(sizes: Sequence[Size], *, is_quick: bool) -> None:
    """Renew the table between its marks, and the picture; say so where the figures are only a first look."""
    PICTURE.write_text(draw_growth(sizes))
    before, rest = PAGE.read_text().split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    table = write_table(HEADERS, [size.write_cells() for size in sizes])
    caveat = "A first look (`--quick`), not for quoting: " if is_quick else "Measured on "
    PAGE.write_text(f"{before}{MARKS[0]}\n{table}\n\n{caveat}{describe_machine()}.\n\n{MARKS[1]}{after}")


def choose_sizes(*, quick: bool, huge: bool) -> dict[Kind, list[int]]:
    """Return how many tasks each is given: Flower by default only what it holds by default."""
    if quick:
        return {"flower": [1_000, 10_000], "umbel": [1_000, 10_000, 100_000]}
    umbel = [10_000, 100_000, 1_000_000, *([10_000_000] if huge else [])]
    return {"flower": [10_000, 100_000], "umbel": umbel}


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return 1 when Umbel lost an event or gave a wrong answer."""
    parser = make_parser("growth", __doc__)
    parser.add_argument(
        "--huge", action="store_true", help="Umbel with 10,000,000 tasks as well (40 GB of disk)"
    )
    parser.add_argument(
        "--write", action="store_true", help="renew the table and the picture in the documentation"
    )
    parser.add_argument("--rounds", type=int, help="bursts for each size (default 3, quick 1)")
    chosen = parser.parse_args(argv)
    report = Report("How cost grows with the history", HEADERS)
    sizes = []
    events, patience, usual = (20_000, 2.0, 1) if chosen.quick else (BURST, 10.0, 3)
    rounds = chosen.rounds or usual
    for kind, counts in choose_sizes(quick=chosen.quick, huge=chosen.huge).items():
        for tasks in counts:
            size = measure(kind, tasks, events=events, patience=patience, rounds=rounds)
            sizes.append(size)
            report.add_row(*size.write_cells())
            if kind == "umbel":
                report.require(
                    f"{tasks:,} tasks: lost events and rows, wrong answers", size.lost + size.wrong
                )
    if chosen.write:
        write_page(sizes, is_quick=chosen.quick)
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
