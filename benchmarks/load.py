"""Claim: while 5,000 events/s come in, Umbel answers as ever; 1,000 open pages hear of a change within a second.

Answers under load: their p99 against that of the same monitor when idle. Live stream: every client notes when it hears
of each probe, a task of its own published at a known moment among a gentle load; and under the full load, where
messages name no tasks, when it hears of each change that was stored.
"""

import bisect
import json
import math
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from benchmarks.event_stream import EventStream, Message
from benchmarks.questions import FLEET, FLEET_QUESTIONS, TASK_QUESTIONS, Asker, Question, ask_round
from benchmarks.report import Report, find_percentile, make_parser, say
from benchmarks.run import ROOT, Run, Setting, finish_pacing
from benchmarks.sse_clients import write_probe_id
from benchmarks.subject import Kind
from benchmarks.wire import connect, encode_redis
from umbel.ingest.settings import DEFAULT_BUCKETS
from umbel.store.sqlite_reader import SQLiteReader

#: Events a second.
RATE = 5_000
#: Seconds between two requests of the client: it looks, it does not load.
PAUSE = 0.01
#: A p99 that is good whatever it was when idle, in seconds.
GOOD = 0.025
#: Probes a second, and events a second around them: few enough that a message names the tasks it tells of.
PROBES, AROUND = 4, 100
#: Seconds in which an update is to be heard of.
PROMPT = 1.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What the clients of the live stream heard. Moments are epoch seconds."""

    clients: int
    #: When all clients listened.
    since: float
    #: Probe id -> when it was published.
    published: dict[str, float]
    #: Probe id -> when it was heard of.
    probes: dict[str, list[float]]
    #: Delta id -> when it was heard.
    deltas: dict[str, list[float]]
    ended: int
    #: Share of a core.
    web_cpu: float


def measure_answers(
    report: Report, setting: Setting, questions: Sequence[Question], tasks: int, seconds: float
) -> None:
    """Compare p99 idle and under load."""
    with Run(setting) as run:
        say(f"{setting.kind}: filling to {tasks:,} tasks")
        run.fill(tasks)
        run.subject.wait_until_quiet()
        asker = Asker(run.subject.port)
        ask_round(asker, questions, seconds=2, pause=0, going=lambda: True)
        asker.forget()
        ask_round(asker, questions, seconds=seconds, pause=PAUSE, going=lambda: True)
        idle = asker.seconds
        asker.forget()
        burst, path = run.spool(round(RATE * (seconds + 2)), RATE)
        pacer = run.start_pacing(path, RATE)
        time.sleep(2)
        ask_round(asker, questions, seconds=seconds, pause=PAUSE, going=lambda: pacer.poll() is None)
        paced = finish_pacing(pacer)
        compare(report, setting.kind, questions, idle, asker.seconds)
        if setting.kind == "umbel":
            run.wait_until_visible(burst)
            run.subject.wait_until_quiet()
            report.require(f"of {paced.events:,} events, lost events and rows", run.count_lost())
            report.require("wrong answers", asker.wrong)


def compare(
    report: Report,
    kind: Kind,
    questions: Sequence[Question],
    idle: Mapping[str, list[float]],
    loaded: Mapping[str, list[float]],
) -> None:
    """Show p50 and p99 of both; judge Umbel's p99."""
    for question in questions:
        before, during = idle[question.name], loaded[question.name]
        cells = [
            f"{find_percentile(times, share) * 1000:.1f}"
            for times in (before, during)
            for share in (0.5, 0.99)
        ]
        report.add_row(f"{question.name}, {kind}", *cells, str(len(during)))
        if kind == "umbel":
            bound = max(2 * find_percentile(before, 0.99), GOOD)
            claim = f"{question.name}, p99 under {RATE:,} events/s"
            report.claim_at_most(claim, find_percentile(during, 0.99) * 1000, bound * 1000, "ms")


def listen(run: Run, clients: int, seconds: float, rate: float = AROUND) -> Heard:
    """Open the streams, publish probes among a load of `rate` events a second, and gather what was heard."""
    command = [sys.executable, "-m", "benchmarks.sse_clients", str(run.subject.port), str(clients)]
    _, path = run.spool(round(rate * seconds), rate)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise ChildProcessError("the clients of the live stream did not start")
        web = psutil.Process(run.subject.pid)
        used, began, since = sum(web.cpu_times()[:2]), time.monotonic(), time.time()
        pacer = run.start_pacing(path, rate)
        published = publish_probes(run, seconds)
        finish_pacing(pacer)
        time.sleep(3 * PROMPT)
        share = (sum(web.cpu_times()[:2]) - used) / (time.monotonic() - began)
        answer, _ = process.communicate()
    told = json.loads(answer)
    return Heard(clients, since, published, told["heard"], told["deltas"], told["ended"], share)


def find_probe_delays(heard: Heard) -> list[float]:
    """Return the seconds from each probe's publishing to each client's hearing of it; endless where that never was."""
    delays = [
        moment - heard.published[probe] for probe, moments in heard.probes.items() for moment in moments
    ]
    return delays + [math.inf] * (len(heard.published) * heard.clients - len(delays))


def find_feed_delays(heard: Heard, stored: Mapping[int, float]) -> list[float]:
    """Return the seconds from each change's storing to each client's first delta that tells of it; endless where one
    never came. `stored` has the moment of each feed row; those after the last delta are left out."""
    ids = sorted(map(int, heard.deltas))
    delays: list[float] = []
    for row, moment in stored.items():
        place = bisect.bisect_left(ids, row)
        if place < len(ids):
            arrivals = heard.deltas[str(ids[place])]
            delays += [arrival - moment for arrival in arrivals] + [math.inf] * (
                heard.clients - len(arrivals)
            )
    return delays


def publish_probes(run: Run, seconds: float) -> dict[str, float]:
    """Publish the first event of a task of a known id again and again; return the moment of each, epoch seconds."""
    model = next(message for message in EventStream(time.time()) if message.routing_key == "task.sent")
    published: dict[str, float] = {}
    began = time.monotonic()
    for number in range(round(seconds * PROBES)):
        time.sleep(max(0.0, began + number / PROBES - time.monotonic()))
        probe = write_probe_id(number)
        published[probe] = time.time()
        event = model.events[0] | {
            "uuid": probe,
            "root_id": probe,
            "timestamp": published[probe],
            "clock": number + 1,
        }
        sender = connect(run.broker_url)
        sender.send(encode_redis(Message("task.sent", model.hostname, [event]), uuid.uuid4()))
        sender.finish()
    return published


def find_prompt_share(delays: Sequence[float]) -> float:
    """Return the share of updates heard in time."""
    return sum(delay <= PROMPT for delay in delays) / len(delays)


def measure_stream(report: Report, clients: int, seconds: float, rate: float) -> None:
    """Judge the live stream: by probes where a message names the tasks it tells of, else by its place in the feed."""
    say(f"{clients:,} clients for {seconds:.0f} s at {rate:,.0f} events/s")
    with Run(Setting("umbel")) as run:
        run.fill(1_000)
        run.subject.wait_until_quiet()
        heard = listen(run, clients, seconds, rate)
        stored = fetch_feed(run, heard.since)
    is_named = rate <= AROUND
    delays = find_probe_delays(heard) if is_named else find_feed_delays(heard, stored)
    since = "published" if is_named else "stored"
    times = ", ".join(
        f"{find_percentile(delays, share):.2f} s (p{share * 100:.0f})" for share in (0.5, 0.95, 0.99)
    )
    report.note(
        f"{clients:,} clients, {rate:,.0f} events/s: {len(delays):,} updates, after being {since}: {times}"
    )
    claim = f"updates heard within {PROMPT:g} s, {rate:,.0f} events/s"
    report.claim_at_least(claim, find_prompt_share(delays) * 100, 95, "%")
    report.claim_at_most(f"the web process meanwhile, {rate:,.0f} events/s", heard.web_cpu, 1, "cores")
    report.require(f"streams that ended, {rate:,.0f} events/s", heard.ended)


def fetch_feed(run: Run, since: float) -> dict[int, float]:
    """Return when each change was stored, by its feed id, from `since` on."""
    reader = SQLiteReader(run.subject.history, buckets=DEFAULT_BUCKETS)
    found: dict[int, float] = {}
    while rows := reader.fetch_feed(max(found, default=0)):
        found |= {row.id: row.time for row in rows}
    reader.close()
    return {row: moment for row, moment in found.items() if moment >= since}


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return 1 when an event was lost or an answer wrong."""
    parser = make_parser("load", __doc__)
    parser.add_argument("--tasks", type=int, help="tasks held (default 100,000, quick 10,000)")
    parser.add_argument("--clients", type=int, help="of the live stream (default 1,000, quick 200)")
    parser.add_argument(
        "--flower", action="store_true", help="Flower's answers as well; it cannot follow this load"
    )
    parser.add_argument("--only", choices=("answers", "stream"), help="leave the other part out")
    chosen = parser.parse_args(argv)
    headers = ("question", "idle p50", "p99", "loaded p50", "p99 ms", "asked")
    report = Report("Under load, milliseconds", headers)
    tasks, seconds, clients = (10_000, 8.0, 200) if chosen.quick else (100_000, 60.0, 1_000)
    kinds: tuple[Kind, ...] = ("flower", "umbel") if chosen.flower else ("umbel",)
    if chosen.only != "stream":
        for kind in kinds:
            measure_answers(report, Setting(kind), TASK_QUESTIONS, chosen.tasks or tasks, seconds)
            measure_answers(report, Setting(kind, workers=FLEET), FLEET_QUESTIONS, 10_000, seconds)
    if chosen.only != "answers":
        for rate in (AROUND, RATE):
            measure_stream(report, chosen.clients or clients, min(seconds, 30.0), rate)
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
