"""What the proofs stand on: real workers that log little, the shop with its ledger, a recorder of all events."""

import random
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from celery import Celery

from tests.prove.ledger import Truth, read_ledger, truths
from tests.servers import CeleryWorker, RabbitServer, RedisServer, Server

Broker = Literal["redis", "rabbitmq"]

ROOT = Path(__file__).resolve().parents[2]


def make_broker(broker: Broker) -> RedisServer | RabbitServer:
    """A server of this kind, not started."""
    if broker == "redis":
        return RedisServer()
    server = RabbitServer()
    server.patience = 180.0  # Erlang's start takes a minute where other proofs run beside this one
    return server


class Recorder(Server):
    """`tests.prove.recorder` as a child process."""

    name = "recorder"

    def __init__(self, broker: str) -> None:
        super().__init__(environment={"PYTHONPATH": str(ROOT)})
        self.broker = broker
        self.file = self.folder / "events.jsonl"

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "tests.prove.recorder", self.broker, str(self.file)]

    def is_ready(self) -> bool:
        return "ready" in self.log_now()


class QuietWorker(CeleryWorker):
    """A worker that logs no task, which would take half its time; ready when it answers a ping."""

    def is_ready(self) -> bool:
        app = Celery("caller", broker=self.broker, set_as_current=False)
        return bool(
            app.control.broadcast("ping", destination=[self.hostname], reply=True, timeout=1.0, limit=1)
        )


class Shop:
    """A broker, the workers of `tests.prove.shop` with their ledger, and a recorder."""

    def __init__(self, stack: ExitStack, broker: Broker, *, workers: int, concurrency: int) -> None:
        self.server = make_broker(broker)
        stack.enter_context(self.server)
        self.url = self.server.url
        self.recorder = stack.enter_context(Recorder(self.url))
        self.ledger = self.recorder.folder / "ledger.jsonl"
        self.ledger.touch()
        self._read = self._ended = 0
        self.app = Celery("customer", broker=self.url, set_as_current=False)
        self.app.conf.task_send_sent_event = True
        environment = {"PROVE_BROKER": self.url, "PROVE_LEDGER": str(self.ledger)}
        for number in range(workers):
            worker = QuietWorker(
                self.url, app="tests.prove.shop", concurrency=concurrency, hostname=f"shop{number}@prove",
                environment=environment, arguments=("--loglevel=WARNING",),
            )  # fmt: skip
            stack.enter_context(worker)

    def buy(self, count: int, *, rate: float, between: Callable[[int], None], seed: int = 4) -> None:
        """Send `count` tasks, `rate` a second; `between(number)` is called before each."""
        rng = random.Random(seed)
        begun = time.monotonic()
        for number in range(count):
            between(number)
            name, arguments = self._order(rng, number)
            self.app.send_task(name, args=arguments)
            wait = begun + (number + 1) / rate - time.monotonic()
            if wait > 0:
                time.sleep(wait)

    @staticmethod
    def _order(rng: random.Random, number: int) -> tuple[str, tuple[Any, ...]]:
        chance = rng.random()
        if chance < 0.70:
            return "prove.sell", (number,)
        if chance < 0.85:
            return "prove.refuse", (number,)
        return "prove.insist", (number, rng.randint(1, 3))

    def has_ended(self, count: int) -> bool:
        """`count` tasks have ended; reads only what the ledger gained since the last look."""
        with self.ledger.open("rb") as ledger:
            ledger.seek(self._read)
            lines = ledger.read().splitlines(keepends=True)
        for line in lines:
            if line.endswith(b"\n"):
                self._read += len(line)
                self._ended += b'"outcome": "RETRY"' not in line
        return self._ended >= count

    def read_truths(self) -> dict[str, Truth]:
        """What became of every task that has ended."""
        return truths(read_ledger(self.ledger))
