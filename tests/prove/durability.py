"""Real tasks on real workers while the monitor is killed with SIGKILL: what it shows afterwards, against the truth.

The truth is the ledger that the tasks keep; the time of their events is what an independent recorder wrote down.
"""

import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from tests.prove.judge import Verdict, compare
from tests.prove.ledger import Mark, read_events
from tests.prove.page import fetch_api
from tests.prove.recount import recount
from tests.prove.stage import Broker, Shop
from tests.prove.watch import ReadinessWatch
from tests.servers import UmbelServer, free_port, wait_for

#: A kill may cost what came in this many seconds before it.
LOSS = 1.0


class Down(msgspec.Struct):
    """One kill. Epoch seconds UTC."""

    killed: float
    started: float
    #: The page answered.
    answered: float
    #: `/health/ready` was 200.
    ready: float
    #: Where sums and rows disagreed in the file as the kill left it.
    differences: list[str]


class Outcome(msgspec.Struct):
    """What a run of `run_durability` found."""

    downs: list[Down]
    verdict: Verdict
    #: Disagreements of the sums with the rows at the end.
    differences: list[str]
    #: Task events seen by the recorder, and those of them that the history lacks.
    events: int
    lost: int
    #: The earliest lost event before a kill: how many seconds before it; and the slowest way to the recorder.
    cost: float
    slowest: float
    #: Lost events that no listed gap explains.
    unexplained: list[str]
    #: Kills that no gap covers.
    unlisted: list[Down]
    lossy_gaps: int
    seconds: float


def run_durability(
    broker: Broker,
    *,
    tasks: int,
    rate: float,
    kills: int,
    down: float = 3.0,
    workers: int = 2,
    concurrency: int = 2,
) -> Outcome:
    """Send `tasks` tasks, kill the monitor's whole process group `kills` times meanwhile, and judge.

    Args:
        rate: Tasks sent a second.
        down: Seconds between a kill and the next start.
    """
    begun = time.monotonic()
    with ExitStack() as stack:
        shop = Shop(stack, broker, workers=workers, concurrency=concurrency)
        folder = shop.recorder.folder
        history = folder / "history.sqlite3"
        arguments = (f"--db={history}", f"--port={free_port()}", "--address=127.0.0.1")
        monitor = stack.enter_context(UmbelServer(shop.url, arguments=arguments))
        monitor.wait_until_collecting()
        wait_for(
            lambda: len(fetch_api(monitor, "workers")["items"]) == workers, 20, message="workers not listed"
        )
        watch = stack.enter_context(ReadinessWatch(monitor.url))
        downs: list[Down] = []
        at = {tasks * (number + 1) // (kills + 1) for number in range(kills)}
        killer = _Killer(monitor, history, down, downs)

        def between(number: int) -> None:
            if number in at:
                killer.begin()
            elif number - tasks // 10 in at:
                killer.join()  # however slow the machine, most tasks find the monitor up

        shop.buy(tasks, rate=rate, between=between)
        killer.join()
        wait_for(lambda: shop.has_ended(tasks), 600, message="not every task has ended")
        _wait_until_told(monitor, shop, tasks, everything=broker == "rabbitmq")
        gaps = fetch_api(monitor, "gaps")["items"]
        shop.recorder.terminate()
        monitor.terminate()
        return _judge(
            shop,
            history,
            watch,
            downs,
            gaps,
            everything=broker == "rabbitmq",
            seconds=time.monotonic() - begun,
        )


class _Killer:
    """Kills the monitor, looks at its file, starts it again: in a thread, so that tasks go on being sent."""

    def __init__(self, monitor: UmbelServer, history: Path, down: float, downs: list[Down]) -> None:
        self._monitor = monitor
        self._history = history
        self._down = down
        self._downs = downs
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def begin(self) -> None:
        """Begin a kill; the one before must be over by now."""
        self.join()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def join(self) -> None:
        """Wait for the present kill to be over; raise what it raised."""
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            killed = time.time()
            self._monitor.kill9()
            differences = recount(self._history).differences
            time.sleep(max(0.0, self._down - (time.time() - killed)))
            started = time.time()
            self._monitor.start()
            answered = time.time()
            self._monitor.wait_until_collecting()
            self._downs.append(Down(killed, started, answered, time.time(), differences))
        except BaseException as error:  # raised again in the thread that waits
            self._error = error


def _wait_until_told(monitor: UmbelServer, shop: Shop, tasks: int, *, everything: bool) -> None:
    """Wait until the history has stood still for 2 s (and, if it must have everything, until it has)."""
    seen: list[tuple[float, int]] = [(time.monotonic(), -1)]

    def still() -> bool:
        time.sleep(0.3)  # the page is asked thrice a second, not thirty times
        finished = sum(
            row["count"]
            for row in fetch_api(monitor, "facets")["states"]
            if row["value"] in ("SUCCESS", "FAILURE")
        )
        if finished != seen[-1][1]:
            seen.append((time.monotonic(), finished))
        return time.monotonic() - seen[-1][0] > 2.0 and (finished == tasks or not everything)

    wait_for(still, 60, message=lambda: f"{seen[-1][1]} of {tasks} tasks are told as ended")


def _judge(
    shop: Shop, history: Path, watch: ReadinessWatch, downs: list[Down], gaps: list[dict[str, Any]], *,
    everything: bool, seconds: float,
) -> Outcome:  # fmt: skip
    final = recount(history)
    events = read_events(shop.recorder.file)
    # an event counts from when it came out of the broker: what a busy worker holds back is not ours yet
    heard: dict[str, list[float]] = {}
    for (uuid, _, _), moment in events.items():
        heard.setdefault(uuid, []).append(moment)

    def safe(moment: float) -> bool:
        return watch.was_ready(moment) and not any(down.killed - LOSS < moment < down.ready for down in downs)

    verdict = compare(
        shop.read_truths(),
        final.rows,
        is_due=lambda told: everything or safe(max(heard[told.uuid])),
        is_whole=lambda told: everything or all(safe(moment) for moment in heard[told.uuid]),
    )
    lost = {mark: moment for mark, moment in events.items() if mark not in final.marks}
    for faults in (verdict.missing, verdict.wrong):
        faults[:] = [f"{fault} ({_tell(fault[:36], events, lost, downs)})" for fault in faults]
    return Outcome(
        downs=downs, verdict=verdict, differences=final.differences, events=len(events), lost=len(lost),
        cost=_measure_cost(lost, downs),
        slowest=max(moment - mark[2] for mark, moment in events.items()),
        unexplained=_find_unexplained(lost, gaps),
        unlisted=[down for down in downs if not any(_tells_of(gap, down) for gap in gaps)],
        lossy_gaps=sum(gap["lossy"] for gap in gaps), seconds=seconds,
    )  # fmt: skip


def _tell(uuid: str, events: dict[Mark, float], lost: dict[Mark, float], downs: list[Down]) -> str:
    """A task's events as they were heard, in seconds from the nearest kill; ! marks what the history lacks."""
    own = sorted((heard, mark) for mark, heard in events.items() if mark[0] == uuid)
    near = min((down.killed for down in downs), key=lambda killed: abs(killed - own[0][0]), default=0.0)
    return ", ".join(f"{'!' if mark in lost else ''}{mark[1]} {heard - near:+.2f}" for heard, mark in own)


def _measure_cost(lost: dict[Mark, float], downs: list[Down]) -> float:
    """How many seconds before its kill the earliest lost event was heard; 0 where none was."""
    ups = [0.0, *(down.ready for down in downs)]
    before = [
        down.killed - heard
        for up, down in zip(ups, downs, strict=False)
        for heard in lost.values()
        if up < heard < down.killed
    ]
    return max(before, default=0.0)


def _find_unexplained(lost: dict[Mark, float], gaps: list[dict[str, Any]]) -> list[str]:
    """Lost events outside of every gap, and outside of the second before it."""
    return [
        f"{type_} of {uuid} at {moment:.3f}"
        for (uuid, type_, _), moment in lost.items()
        if not any(gap["start"] - LOSS <= moment <= (gap["end"] or moment) for gap in gaps)
    ]


def _tells_of(gap: dict[str, Any], down: Down) -> bool:
    return bool(gap["start"] <= down.killed + 0.1 and (gap["end"] or 0) >= down.answered)


def check(outcome: Outcome) -> None:
    """What must hold after every run, whatever the broker."""
    for down in outcome.downs:
        assert not down.differences, f"after the kill at {down.killed}: {down.differences[:5]}"
    assert not outcome.differences, outcome.differences[:5]
    assert not outcome.verdict.missing, outcome.verdict.missing[:5]
    assert not outcome.verdict.wrong, outcome.verdict.wrong[:5]
    assert not outcome.unlisted, f"no gap tells of: {outcome.unlisted}"
    assert not outcome.unexplained, f"lost outside of every gap: {outcome.unexplained[:5]}"
