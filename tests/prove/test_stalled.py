"""Real workers that live but take no tasks are found within the time that is set, and nobody else ever is."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from celery import Celery

from tests.apps.tasks import make_app
from tests.conftest import UmbelFactory
from tests.prove.figures import table
from tests.servers import CeleryWorker, RabbitServer, UmbelServer, free_port, wait_for
from tests.servers.relay import Relay

pytestmark = [pytest.mark.prove, pytest.mark.timeout(300)]

#: Seconds within which a worker has to be called stalled, and for which the others are watched after that.
AFTER, MORE = 30.0, 15.0


@contextmanager
def flowing(app: Celery, queues: list[str], every: float) -> Iterator[None]:
    """Send a short task to each of the queues, again and again."""
    stop = threading.Event()

    def send() -> None:
        while not stop.wait(every):
            for queue in queues:
                app.send_task("tests.add", (1, 1), queue=queue)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def consumes(broker: str, queue: str) -> bytes:
    """What a connection of a worker says that waits for messages of this queue."""
    if broker.startswith("redis"):
        return b"BRPOP\r\n$%d\r\n%s\r\n" % (len(queue), queue.encode())
    # basic.consume (60, 20), a reserved short, the queue's name
    return b"\x00\x3c\x00\x14\x00\x00" + bytes([len(queue)]) + queue.encode()


def end(worker: CeleryWorker) -> None:
    if worker.is_running():
        worker.kill9()


class Fleet:
    """A monitor, and a worker in each situation."""

    def __init__(self, stack: ExitStack, broker: str, port: int, umbel: UmbelServer) -> None:
        self.broker, self.umbel, self.stack = broker, umbel, stack
        self.app = make_app(broker)
        self.relay, self.apart = stack.enter_context(Relay(port)), stack.enter_context(Relay(port))
        self.cut = self.start("orders", through=self.relay)
        self.gone = self.start("parcels", through=self.apart)
        self.left = self.start("letters")
        self.idle = self.start("mails")
        self.busy = self.start("quick")
        self.full = self.start("reports", concurrency=2)
        self.workers = [self.cut, self.gone, self.left, self.idle, self.busy, self.full]
        #: Worker -> seconds until it was called stalled, and its row then.
        self.told: dict[str, float] = {}
        self.seen: dict[str, Any] = {}

    def start(self, queue: str, *, through: Relay | None = None, concurrency: int = 1) -> CeleryWorker:
        port = self.broker.split("127.0.0.1:")[1].split("/")[0]
        url = self.broker if through is None else self.broker.replace(f":{port}/", f":{through.port}/")
        worker = CeleryWorker(url, concurrency=concurrency, arguments=["-Q", queue])
        self.stack.enter_context(worker)
        # some would not end by themselves
        self.stack.callback(end, worker)
        return worker.wait_until_answering()

    def rows(self) -> dict[str, Any]:
        return {row["hostname"]: row for row in self.umbel.get("/api/v1/workers").json()["items"]}

    def settle(self) -> None:
        """Until each worker has run something, or runs all that it can."""
        for queue in ("orders", "parcels", "letters", "mails", "quick"):
            self.app.send_task("tests.add", (1, 1), queue=queue)
        for _ in range(30):
            self.app.send_task("tests.sleep", (200,), queue="reports")

        def settled() -> bool:
            rows = self.rows()
            return all(rows.get(worker.hostname, {}).get("started") for worker in self.workers)

        wait_for(settled, 45.0)

    def break_down(self) -> None:
        wait_for(lambda: self.relay.hang(lambda pair: consumes(self.broker, "orders") in pair.asked), 20.0)
        self.apart.hang(lambda _: True)
        self.app.control.cancel_consumer("letters", destination=[self.left.hostname], reply=True, timeout=5.0)

    def watch(self, seconds: float, begun: float) -> None:
        while (passed := time.monotonic() - begun) < seconds:
            for hostname, row in self.rows().items():
                if row["stalled"]:
                    self.told.setdefault(hostname, passed)
                    self.seen.setdefault(hostname, row)
            time.sleep(0.2)


@pytest.mark.parametrize("how", ["redis", "management", "amqp"])
def test_workers_that_take_nothing_are_found_in_time_and_no_others(
    how: str, request: pytest.FixtureRequest, umbel_server: UmbelFactory
) -> None:
    arguments = [f"--stalled_after={AFTER}"]
    with ExitStack() as stack:
        if how == "redis":
            broker = request.getfixturevalue("redis_url")
        else:
            # with the intervals that RabbitMQ has by itself
            server = stack.enter_context(RabbitServer(management=how == "management"))
            broker = server.url
            api = server.management_url if server.management else f"http://127.0.0.1:{free_port()}/api/"
            arguments.append(f"--broker_api={api}")
        umbel = umbel_server(broker, arguments=arguments)
        umbel.wait_until_collecting()
        fleet = Fleet(stack, broker, int(broker.split("127.0.0.1:")[1].split("/")[0]), umbel)
        fleet.settle()
        with flowing(fleet.app, ["quick"], 0.05):
            fleet.watch(AFTER, time.monotonic())
            assert fleet.told == {}
            fleet.break_down()
            begun = time.monotonic()
            # more than RabbitMQ gives away beforehand, and it goes on
            for _ in range(6):
                for queue in ("orders", "parcels", "letters"):
                    fleet.app.send_task("tests.add", (1, 1), queue=queue)
            with flowing(fleet.app, ["orders", "parcels", "letters"], 1.0):
                fleet.watch(AFTER + MORE, begun)
        names = {worker.hostname: worker.arguments[1] for worker in fleet.workers}
        print(
            table(f"{how}: called stalled after, s", {names[who]: after for who, after in fleet.told.items()})
        )
        # the one that is cut off entirely may be called lost instead
        assert fleet.told.keys() - {fleet.gone.hostname} == {fleet.cut.hostname, fleet.left.hostname}
        assert fleet.gone.hostname in fleet.told or fleet.rows()[fleet.gone.hostname]["status"] == "lost"
        assert all(AFTER / 2 <= after <= AFTER for after in fleet.told.values()), fleet.told
        assert fleet.seen[fleet.cut.hostname]["status"] == "online"
        assert "says to be a consumer" in fleet.seen[fleet.cut.hostname]["stalled"]
        assert "nobody is any more" in fleet.seen[fleet.left.hostname]["stalled"]
