"""Claim: on Redis, Umbel takes in events 20 times as fast as Flower for a twelfth of the CPU, and stores all of them.

Realistic events are published as fast as each monitor takes them, 200,000 in a row; the clock stops when the row of the
last event is visible over HTTP.
Measured from an empty history, past the 100,000 tasks that Flower holds at most, with one event a message, and with a
million tasks held.
"""

import argparse
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from benchmarks.event_stream import EVENTS_PER_TASK
from benchmarks.report import Report, make_parser, say
from benchmarks.run import CAP, Measurement, Run, Setting, find_median
from benchmarks.subject import KINDS, Kind

#: Events of one measurement: about two seconds of Umbel's work.
EVENTS = 200_000
#: Tasks whose events fill Flower's list of past events, four times its cap long, which makes it slow from then on.
PAST_CAP = round(1.05 * 4 * CAP / EVENTS_PER_TASK)
HEADERS = ("burst", "monitor", "tasks", "events/s", "CPU s/100k", "PSS MB", "lost")

Pair = dict[Kind, list[Measurement]]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    rounds: int
    events: int
    #: Tasks in the history for bursts into a large one.
    held: int
    #: Give Flower that many as well.
    flower_held: bool


@dataclass(slots=True)
class Bursts:
    """Takes measurements, prints them, and keeps what they say of loss."""

    report: Report
    scale: Scale
    lost: dict[str, int] = field(default_factory=dict)

    def measure_fresh(self, title: str, setting: Setting) -> Pair:
        """Measure both in turn, each time from an empty history."""
        found: Pair = {kind: [] for kind in KINDS}
        for _ in range(self.scale.rounds):
            for kind, measurements in found.items():
                with Run(replace(setting, kind=kind)) as run:
                    measurements.append(self._take(title, run))
        return found

    def measure_filled(self, title: str, settings: dict[Kind, Setting], tasks: int) -> Pair:
        """Fill both (those named in `settings`), then give each the same bursts in turn."""
        found: Pair = {kind: [] for kind in settings}
        runs = {kind: Run(setting) for kind, setting in settings.items()}
        with ExitStack() as stack:
            for kind, run in runs.items():
                stack.enter_context(run)
                say(f"{kind}: filling to {tasks:,} tasks")
                run.fill(tasks)
                run.subject.wait_until_quiet()
            for _ in range(self.scale.rounds):
                for kind, run in runs.items():
                    found[kind].append(self._take(title, run))
        return found

    def _take(self, title: str, run: Run) -> Measurement:
        lossy = run.setting.kind == "flower" and run.setting.broker == "rabbitmq"
        measured = run.take_burst(self.scale.events, lossy=lossy)
        self.report.add_row(title, *write_cells(measured))
        if measured.kind == "umbel":
            self.lost[title] = max(self.lost.get(title, 0), measured.lost)
        return measured

    def claim(self, title: str, pair: Pair, *, rate: float, cost: float | None = None) -> None:
        """Judge the ratio of the medians."""
        flower, umbel = pair["flower"], pair["umbel"]
        ratio = find_median(umbel, "rate") / find_median(flower, "rate")
        self.report.claim_at_least(f"{title}, events/s against Flower", ratio, rate)
        if cost is not None:
            ratio = find_median(flower, "cost") / find_median(umbel, "cost")
            self.report.claim_at_least(f"{title}, Flower's CPU per event against Umbel's", ratio, cost)

    def require_all(self) -> None:
        """Fail where Umbel lost anything."""
        for title, lost in self.lost.items():
            self.report.require(f"{title}, events and rows that Umbel lost", lost)


def write_cells(found: Measurement) -> tuple[str, ...]:
    """Return a measurement as the cells of a row."""
    return (
        found.kind,
        f"{found.tasks:,}",
        f"{found.rate:,.0f}",
        f"{found.cost:.2f}",
        f"{found.memory / 1e6:.0f}",
        f"{found.lost:,}",
    )


def measure(report: Report, scale: Scale, *, at_cap: bool = True) -> None:
    """Run every part; `at_cap` is the long one."""
    bursts = Bursts(report, scale)
    plain = Setting("umbel")
    bursts.claim("fresh", bursts.measure_fresh("fresh", plain), rate=12)
    single = bursts.measure_fresh("single", replace(plain, batch="single"))
    bursts.claim("one event a message", single, rate=15)
    filled: Pair = {}
    if at_cap:
        settings = {kind: Setting(kind) for kind in KINDS}
        filled = bursts.measure_filled("at cap", settings, PAST_CAP)
        bursts.claim("past Flower's cap", filled, rate=20, cost=12)
    measure_held(bursts, filled)
    bursts.require_all()


def measure_held(bursts: Bursts, filled: Pair) -> None:
    """Burst into a large history: Umbel always, Flower where that was asked for."""
    scale, report = bursts.scale, bursts.report
    settings: dict[Kind, Setting] = {"umbel": Setting("umbel")}
    if scale.flower_held:
        settings = {"flower": Setting("flower", max_tasks=scale.held), **settings}
    found = bursts.measure_filled(f"{scale.held:,} held", settings, round(scale.held * 1.05))
    if scale.flower_held:
        bursts.claim(f"{scale.held:,} tasks held", found, rate=100)
        return
    report.note(
        f"{scale.held:,} tasks held: Flower is left out (--flower-held gives it as many: 20 to 30 minutes and 10 GB "
        "for a million; 810 events/s when it was last measured)"
    )
    if filled:
        ratio = find_median(found["umbel"], "rate") / find_median(filled["flower"], "rate")
        report.note(f"  Umbel with {scale.held:,} against Flower with {CAP:,}: {ratio:.1f} ×")


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return 1 when Umbel lost an event."""
    parser = make_parser("ingest", __doc__)
    parser.add_argument(
        "--rounds", type=int, help="bursts of each kind for each monitor (default 3, quick 1)"
    )
    parser.add_argument("--events", type=int, help=f"events of a burst (default {EVENTS:,}, quick 30,000)")
    parser.add_argument(
        "--held", type=int, help="tasks of the large history (default 1,000,000, quick 100,000)"
    )
    parser.add_argument("--flower-held", action="store_true", help="give Flower the large history as well")
    parser.add_argument(
        "--no-cap", action="store_true", help="leave out Flower at its cap, which takes 4 minutes"
    )
    chosen = parser.parse_args(argv)
    report = Report("Ingest on Redis", HEADERS)
    measure(report, choose_scale(chosen), at_cap=not chosen.no_cap)
    return report.finish()


def choose_scale(chosen: argparse.Namespace) -> Scale:
    """Return the sizes of a full or of a quick run, as far as they were not chosen."""
    rounds, events, held = (1, 30_000, CAP) if chosen.quick else (3, EVENTS, 1_000_000)
    return Scale(chosen.rounds or rounds, chosen.events or events, chosen.held or held, chosen.flower_held)


if __name__ == "__main__":
    raise SystemExit(main())
