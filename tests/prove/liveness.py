"""What the monitor says of real workers that idle, block, stop, die and come back: labels over time, and their limits.

The limits are those of `docs/explanation/worker-liveness.md`. One worker per cell, all on one broker, each with
a queue of its own.
"""

import json
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Literal, Self

import msgspec
from celery import Celery

from tests.prove.page import fetch_api
from tests.prove.stage import Broker, QuietWorker, Recorder, make_broker
from tests.servers import UmbelServer, free_port, wait_for

Pool = Literal["prefork", "threads", "gevent", "solo"]
Case = Literal["idle", "blocked", "without-heartbeat", "SIGTERM", "SIGKILL", "restart"]

POOLS: tuple[Pool, ...] = ("prefork", "threads", "gevent", "solo")
CASES: tuple[Case, ...] = ("idle", "blocked", "without-heartbeat", "SIGTERM", "SIGKILL", "restart")

#: A task that blocks keeps these pools' main loop from sending heartbeats.
DEAF: frozenset[Pool] = frozenset(("gevent", "solo"))

#: Seconds between what is true and our reading of it: the labels are read twice a second, by a busy machine.
SLACK = 2.0
#: Seconds from the fact to its label, as documented.
ONLINE_WITHIN = 1.0 + SLACK
STOPPED_WITHIN = 1.0 + SLACK
BUSY_WITHIN = 15.0 + SLACK
LOST_WITHIN = 30.0 + SLACK
#: Seconds for which RabbitMQ keeps the connection of a worker that sends no AMQP heartbeats (Celery's default: 120 s).
DROPPED_AFTER = 120.0
#: Seconds in which everybody else has spoken, so that a count on Redis proves who is gone.
PROVED_WITHIN = 20.0


#: As people use it. (With gossip, a gevent worker on RabbitMQ sometimes sends no event at all: its two greenlets open
#: the events' channel on one connection. It answers pings, though, so `inspect` finds it.)
QUIETEST = ["--without-heartbeat", "--without-gossip", "--without-mingle"]


class Cell(msgspec.Struct):
    """One worker: what was done to it, and what was said of it."""

    pool: Pool
    case: Case
    #: When the fact happened (blocked, ended, started again). Epoch seconds UTC.
    since: float = 0.0
    #: When the blocking task ended.
    until: float = 0.0
    #: (time, label) at each change; "absent" where the worker was not listed.
    labels: list[tuple[float, str]] = msgspec.field(default_factory=list)
    runs: int = 0
    #: Event type -> time of the last one that reached the broker.
    last_words: dict[str, float] = msgspec.field(default_factory=dict)
    faults: list[str] = msgspec.field(default_factory=list)
    #: Seconds from the fact to the label that it must lead to.
    delay: float | None = None

    @property
    def hostname(self) -> str:
        return f"{self.pool}-{self.case}@live"

    @property
    def queue(self) -> str:
        return f"{self.pool}-{self.case}"

    @property
    def label(self) -> str:
        """What is said now; "" before the first look."""
        return self.labels[-1][1] if self.labels else ""

    @property
    def said_goodbye(self) -> bool:
        return "worker-offline" in self.last_words

    def note(self, now: float, label: str) -> None:
        if self.label != label:
            self.labels.append((now, label))

    def labels_after(self, moment: float) -> list[tuple[float, str]]:
        """The label that held at `moment`, and every one since."""
        before = [entry for entry in self.labels if entry[0] <= moment]
        return before[-1:] + [entry for entry in self.labels if entry[0] > moment]


class LabelWatch:
    """Reads the workers' labels twice a second."""

    def __init__(self, monitor: UmbelServer, cells: Sequence[Cell]) -> None:
        self._monitor = monitor
        self._cells = cells
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="labels", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.wait(0.5):
            rows = {row["hostname"]: row for row in fetch_api(self._monitor, "workers")["items"]}
            now = time.time()
            for cell in self._cells:
                row = rows.get(cell.hostname)
                cell.note(now, "absent" if row is None else row["status"])
                cell.runs = 0 if row is None else row["runs"]


class _Stage:
    """The broker, the monitor and the workers of one matrix."""

    def __init__(self, stack: ExitStack, cells: Sequence[Cell], broker: Broker) -> None:
        self._broker = make_broker(broker)
        stack.enter_context(self._broker)
        self._recorder = stack.enter_context(Recorder(self._broker.url))
        self._app = Celery("caller", broker=self._broker.url, set_as_current=False)
        environment = {
            "PROVE_BROKER": self._broker.url,
            "PROVE_LEDGER": str(self._broker.folder / "ledger.jsonl"),
        }
        self.workers: dict[str, QuietWorker] = {}
        for cell in cells:
            arguments = ["--loglevel=WARNING", "-Q", cell.queue]
            arguments += QUIETEST if cell.case == "without-heartbeat" else []
            worker = QuietWorker(
                self._broker.url, app="tests.prove.shop", pool=cell.pool, hostname=cell.hostname,
                arguments=arguments, environment=environment,
            )  # fmt: skip
            stack.callback(worker.close)
            self.workers[cell.hostname] = worker
        self._start_all()
        # the monitor comes last: an idle worker without heartbeats is found by the roll call at its connection
        self.monitor = stack.enter_context(
            UmbelServer(self._broker.url, arguments=(f"--port={free_port()}",))
        )
        self.monitor.wait_until_collecting()

    def read_last_words(self) -> dict[str, dict[str, float]]:
        """Hostname -> event type -> when the last of it was sent, of all events that reached the broker."""
        self._recorder.terminate()
        words: dict[str, dict[str, float]] = {}
        for line in self._recorder.file.read_text().splitlines():
            event = json.loads(line)
            words.setdefault(event["hostname"], {})[event["type"]] = event["timestamp"]
        return words

    def _start_all(self) -> None:
        """Four at a time: the machine is small, and a start costs a second of it."""
        waiting = list(self.workers.values())
        while waiting:
            batch, waiting = waiting[:4], waiting[4:]
            for worker in batch:
                worker.launch()
            for worker in batch:
                worker.wait_until_ready(120)

    def block(self, cell: Cell, seconds: int) -> None:
        """Have the cell's worker run a task that blocks."""
        self._app.send_task("prove.block", args=(seconds,), queue=cell.queue)


def run_matrix(cells: Sequence[Cell], *, block: int, broker: Broker) -> None:
    """Do to each cell's worker what its case says, block for `block` seconds, and judge all labels.

    On Redis the workers that are killed die first: who dies and who blocks at the same time can't be told apart
    there, as `docs/explanation/worker-liveness.md` says.
    """
    with ExitStack() as stack:
        stage = _Stage(stack, cells, broker)
        stack.enter_context(LabelWatch(stage.monitor, cells))
        wait_for(
            lambda: all(cell.label == "online" for cell in cells), 70,
            message=lambda: f"not online: {[cell.hostname for cell in cells if cell.label != 'online']}",
        )  # fmt: skip
        killed = [cell for cell in cells if cell.case == "SIGKILL"]
        for cell in killed:
            _act(stage, cell, block)
        if broker == "redis" and killed:
            _wait_until_lost(killed)
            time.sleep(PROVED_WITHIN)
        for cell in cells:
            if cell not in killed:
                _act(stage, cell, block)
        time.sleep(max(0.0, max(cell.until for cell in cells) + ONLINE_WITHIN + 1.0 - time.time()))
        _wait_until_lost(killed)
        words = stage.read_last_words()
    for cell in cells:
        cell.last_words = words.get(cell.hostname, {})
        _judge(cell, broker)


def _wait_until_lost(cells: Sequence[Cell]) -> None:
    """Wait until all are called lost, or should be."""
    deadline = time.time() + LOST_WITHIN
    while any(cell.label != "lost" for cell in cells) and time.time() < deadline:
        time.sleep(0.2)


def _act(stage: _Stage, cell: Cell, block: int) -> None:
    worker = stage.workers[cell.hostname]
    match cell.case:
        case "blocked":
            stage.block(cell, block)
            cell.since = time.time()
            cell.until = cell.since + block
        case "SIGTERM":
            worker.terminate(60)
            cell.since = time.time()
        case "SIGKILL":
            worker.kill9()
            cell.since = time.time()
        case "restart":
            worker.terminate(60)
            worker.start()
            cell.since = time.time()
        case _:
            cell.since = time.time()


def _judge_blocked(cell: Cell, broker: Broker) -> None:
    """Busy-silent to the end; on RabbitMQ as long as that keeps the connection, whose loss is made good afterwards."""
    dropped = cell.since + DROPPED_AFTER if broker == "rabbitmq" else cell.until
    before = [entry for entry in cell.labels_after(cell.since) if entry[0] < dropped]
    _expect(cell, cell.since, "busy-silent", BUSY_WITHIN, before={"online"})
    cell.faults += [
        f"{said} after {at - cell.since:.1f} s"
        for at, said in before
        if said not in ("online", "busy-silent")
    ]
    during = {"busy-silent"} if broker == "redis" else {"busy-silent", "lost", "stopped"}
    # where the connection was lost the worker takes its leave of it, and its time to connect anew is its own
    left = [at for at, said in cell.labels_after(cell.until) if said == "stopped" and broker == "rabbitmq"]
    _expect(cell, max([cell.until, *left]), "online", ONLINE_WITHIN, before=during, is_the_point=False)


def _judge(cell: Cell, broker: Broker) -> None:
    match cell.case:
        case "idle" | "without-heartbeat":
            _expect_only(cell, cell.since, {"online"})
        case "blocked" if cell.pool not in DEAF:
            _expect_only(cell, cell.since, {"online"})
        case "blocked":
            _judge_blocked(cell, broker)
        case "SIGTERM" if not cell.said_goodbye:
            # nobody can know more than that it is gone
            _expect(cell, cell.since, "lost", LOST_WITHIN, before={"online", "busy-silent"})
            _expect_last(cell, "lost")
        case "SIGTERM":
            _expect(cell, cell.since, "stopped", STOPPED_WITHIN, before={"online"})
            _expect_last(cell, "stopped")
        case "SIGKILL":
            _expect(cell, cell.since, "lost", LOST_WITHIN, before={"online", "busy-silent"})
            _expect_last(cell, "lost")
        case "restart":
            _expect(cell, cell.since, "online", ONLINE_WITHIN, before={"stopped", "online"})
            _expect_last(cell, "online")
            if cell.runs != 2:
                cell.faults.append(f"{cell.runs} runs instead of 2")


def _expect(
    cell: Cell, since: float, label: str, within: float, *, before: set[str], is_the_point: bool = True
) -> None:
    """`label` comes within `within` seconds, and until then nothing but `before` is said."""
    for moment, said in cell.labels_after(since):
        delay = max(0.0, moment - since)
        if said == label:
            if is_the_point:
                cell.delay = delay
            if delay > within:
                cell.faults.append(f"{label} after {delay:.1f} s instead of {within:.0f} s")
            return
        if said not in before:
            cell.faults.append(f"{said} after {delay:.1f} s, before {label}")
    cell.faults.append(f"never {label}: {cell.labels}")


def _expect_only(cell: Cell, since: float, labels: set[str]) -> None:
    for moment, said in cell.labels_after(since):
        if said not in labels:
            cell.faults.append(f"{said} after {max(0.0, moment - since):.1f} s")


def _expect_last(cell: Cell, label: str) -> None:
    if cell.label != label:
        cell.faults.append(f"{cell.label} in the end instead of {label}")


def _describe_end(cell: Cell) -> str:
    if not cell.said_goodbye:
        return " (no goodbye reached the broker)"
    straggled = cell.last_words.get("worker-heartbeat", 0.0) - cell.last_words["worker-offline"]
    return f" (a heartbeat came {straggled:.1f} s after the goodbye)" if straggled > 0 else ""


def describe(cells: Sequence[Cell]) -> dict[str, str]:
    """Worker -> its labels in order, the delay of the one that counts, and its faults."""
    rows = {}
    for cell in cells:
        said = " → ".join(label for _, label in cell.labels_after(cell.since))
        delay = "" if cell.delay is None else f" after {cell.delay:.1f} s"
        if cell.case == "SIGTERM":
            delay += _describe_end(cell)
        rows[cell.hostname] = f"{said}{delay}" + "".join(f"; WRONG: {fault}" for fault in cell.faults)
    return rows
