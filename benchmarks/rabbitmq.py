"""Claim: on RabbitMQ Umbel takes in events 8 times as fast as Flower; no burst makes it lose any, there or on Redis.

Flower loses what waits longer than 5 s in RabbitMQ, and is cut off by Redis, with its default limits, when more than
32 MB wait; its losses are shown beside. Its rates are of the events that reached it.
"""

from dataclasses import replace

from benchmarks.ingest import HEADERS, PAST_CAP, Bursts, Scale, write_cells
from benchmarks.report import Report, make_parser, say
from benchmarks.run import Run, Setting
from benchmarks.subject import KINDS

#: Events of the burst that is sent as fast as RabbitMQ takes it.
BURST = 250_000
#: Events a second, and seconds, of the long load on a Redis with its default limits. Flower gets a quarter of the rate.
RATE, SECONDS = 30_000, 60.0
FLOWER_SHARE = 4


def measure_loss(report: Report, title: str, setting: Setting, events: int, rate: float = 0.0) -> None:
    """Give one load to a fresh monitor; show what it lost, and fail when Umbel lost anything."""
    say(f"{setting.kind}: {title}")
    with Run(setting) as run:
        measured = run.take_load(events, rate, lossy=True)
        sent, gaps = run.sent, run.subject.fetch_gauge("umbel_gaps") or 0
    report.add_row(title, *write_cells(measured))
    if setting.kind == "flower":
        report.note(f"{title}: Flower lost {measured.lost / sent:.0%} of the events")
        return
    report.require(f"{title}, events and rows that Umbel lost", measured.lost)
    report.note(f"  the sender was late by {measured.late:.2f} s at worst; gaps recorded: {gaps:.0f}")


def measure_losses(report: Report, events: int, rate: float, seconds: float) -> None:
    """The burst on RabbitMQ and the long load on Redis, for both."""
    for kind in KINDS:
        title = f"{events:,} at once, RabbitMQ"
        measure_loss(report, title, Setting(kind, broker="rabbitmq"), events)
    for kind in KINDS:
        given = rate / FLOWER_SHARE if kind == "flower" else rate
        title = f"{given:,.0f}/s for {seconds:.0f} s, Redis"
        measure_loss(report, title, Setting(kind, default_limit=True), round(given * seconds), given)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return 1 when Umbel lost an event."""
    parser = make_parser("rabbitmq", __doc__)
    parser.add_argument(
        "--rounds", type=int, help="bursts of each kind for each monitor (default 3, quick 1)"
    )
    parser.add_argument(
        "--no-cap", action="store_true", help="leave out Flower at its cap, which takes 5 minutes"
    )
    parser.add_argument("--no-loss", action="store_true", help="leave out the bursts that show loss")
    parser.add_argument(
        "--rate", type=float, default=RATE, help=f"events/s of the long load (default {RATE:,})"
    )
    parser.add_argument("--seconds", type=float, help=f"of the long load (default {SECONDS:.0f}, quick 20)")
    chosen = parser.parse_args(argv)
    report = Report("RabbitMQ, and bursts without loss", HEADERS)
    rounds, events = (1, 30_000) if chosen.quick else (3, 60_000)
    bursts = Bursts(report, Scale(chosen.rounds or rounds, events, 0, False))
    plain = Setting("umbel", broker="rabbitmq")
    bursts.claim("fresh, RabbitMQ", bursts.measure_fresh("fresh", plain), rate=5)
    if not chosen.no_cap:
        settings = {kind: replace(plain, kind=kind) for kind in KINDS}
        bursts.claim(
            "past Flower's cap, RabbitMQ", bursts.measure_filled("at cap", settings, PAST_CAP), rate=8
        )
    bursts.require_all()
    if not chosen.no_loss:
        seconds = chosen.seconds or (20.0 if chosen.quick else SECONDS)
        measure_losses(report, 60_000 if chosen.quick else BURST, chosen.rate, seconds)
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
