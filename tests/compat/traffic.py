"""Makes the tasks that both monitors see: one at least for every way to live and end, and gives them names.

Runs as a process of its own (`cluster` starts it), in the time zone of the workers and monitors. States are
reached by waiting for them, never by sleeping.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from celery import Celery, Signature, chain, chord, group, signature
from celery.result import AsyncResult

from tests.compat import sample_app as shop
from tests.compat.cluster import wait_until

#: Many equal ones, for paging.
BULK = 24
#: Seconds for a task to come as far as it will, on a busy machine.
PATIENCE = 60.0


class Producer:
    """Sends the tasks of one run through `broker`; `ids` maps the names that `cases` use to task ids.

    The workers, whose process ids are `workers`, are stopped while a task is sent. Its task-sent event is then
    always the first: Flower's answer to the other order depends on who was faster.
    """

    def __init__(self, broker: str, backend: str, workers: Sequence[int]) -> None:
        shop.app.conf.update(broker_url=broker, result_backend=backend, task_send_sent_event=True)
        self.ids: dict[str, str] = {}
        self._workers = workers
        self._quiet = Celery("quiet", broker=broker, backend=backend)

    def send_all(self) -> None:
        """Send every kind of task and wait until each has come as far as it will."""
        wait_until(lambda: len(shop.app.control.ping(timeout=0.5)) == 2, 60, "both workers answer")
        self._send_finishing()
        self._send_texts()
        self._send_families()
        self._send_odd()
        self._send_lasting()

    @contextmanager
    def _paused(self) -> Iterator[None]:
        for worker in self._workers:
            os.kill(worker, signal.SIGSTOP)
        try:
            yield
        finally:
            for worker in self._workers:
                os.kill(worker, signal.SIGCONT)

    def _send(self, name: str, task: Signature, state: str | None = None, **options: Any) -> AsyncResult:
        """Send `task` under `name`; wait until it has `state`."""
        with self._paused():
            result = task.apply_async(**options)
        return self._keep(name, result, state)

    def _keep(self, name: str, result: AsyncResult, state: str | None = None) -> AsyncResult:
        self.ids[name] = result.id
        if state:
            wait_until(lambda: result.state == state, PATIENCE, f"{name} becomes {state}")
        return result

    def _send_finishing(self) -> None:
        self._send("success", shop.add.s(2, 3), "SUCCESS")
        self._send("failure", shop.fail.s('bad "input" (1)'), "FAILURE")
        self._send("retried", shop.flaky.s(2), "SUCCESS")
        self._send("exhausted", shop.exhaust.s(), "FAILURE")
        self._send("none", shop.noop.s(), "SUCCESS")
        self._send("soft_limit", shop.soft.s(), "FAILURE")
        self._send("hard_limit", shop.hard.s(), "FAILURE")
        self._send("rejected", shop.reject.s())
        self._send("ignored", shop.ignore.s())
        self._keep("unsent", self._quiet.send_task("compat.add", (40, 2)), "SUCCESS")
        for number in range(BULK):
            queue = "second" if number % 3 else "celery"
            self._send(f"bulk{number}", shop.nap.s(0.01 * (number % 5)), queue=queue)
        self._send("last_bulk", shop.add.s(1, 1), "SUCCESS", queue="second")

    def _send_texts(self) -> None:
        """Arguments and results that are hard to print, quote and search."""
        unicode = shop.echo.s("Grüße, 花瓶 (“quoted”) 🌷", note='it\'s "so" (really)')
        self._send("unicode", unicode, "SUCCESS")
        self._send("pairs", shop.echo.s(order=17, customer="Zoë", tags=["a", "b"], flag=True), "SUCCESS")
        self._send("markup", shop.echo.s("<b>&amp;</b>", note="</script>", path="a\\b\nc"), "SUCCESS")
        self._send("long", shop.echo.s("x" * 3000, ["y" * 50] * 40), "SUCCESS")
        self._send("printed", shop.echo.s(1, 2), "SUCCESS", argsrepr="(hidden)", kwargsrepr="{'a': '***'}")

    def _send_families(self) -> None:
        parent = self._send("parent", shop.spawn.s(2), "SUCCESS")
        for number, child in enumerate(parent.get()):
            self._keep(f"child{number}", AsyncResult(child, app=shop.app), "SUCCESS")
        self._send("chain", chain(shop.add.s(1, 2), shop.add.s(3), shop.noop.si()), "SUCCESS")
        with self._paused():
            results = group(shop.add.s(number, number) for number in range(3)).apply_async()
        for number, result in enumerate(results):
            self._keep(f"group{number}", result, "SUCCESS")
        self._send("chord", chord([shop.add.s(1, 1), shop.add.s(2, 2)], shop.total.s()), "SUCCESS")

    def _send_odd(self) -> None:
        past, unknown = (
            datetime.now(UTC) - timedelta(seconds=5),
            signature("compat.unknown", ("no such",), app=shop.app),
        )
        self._send("unregistered", unknown)
        self._send("orphan", signature("compat.nowhere", (1,), app=shop.app), queue="nobody")
        self._send("expired", shop.add.s(6, 6), "REVOKED", expires=past)
        revoked = self._send("revoked", shop.add.s(7, 7), countdown=2)
        revoked.revoke()
        self._send("progress", shop.progress.s(), "SUCCESS")
        wait_until(lambda: revoked.state == "REVOKED", PATIENCE, "revoked")

    def _send_lasting(self) -> None:
        """Tasks that stay as they are until the end of the run."""
        self._send("waiting", shop.postpone.s(), "RETRY")
        self._send("eta", shop.add.s(9, 9), eta=datetime.now(UTC) + timedelta(hours=2))
        self._send("countdown", shop.add.s(8, 8), countdown=7200, queue="second", expires=9000)
        self._send("held", shop.hold.s(3600), "STARTED")
        stopped = self._send("terminated", shop.hold.s(3600), "STARTED", queue="second")
        stopped.revoke(terminate=True)
        wait_until(lambda: stopped.state == "REVOKED", PATIENCE, "terminated")


def send_farewells(broker: str, backend: str, queues: Sequence[str]) -> None:
    """Have the worker of each queue do one task; none of them is sent with an event."""
    shop.app.conf.update(broker_url=broker, result_backend=backend)
    for queue in queues:
        shop.add.apply_async((1, 1), queue=queue).get(timeout=60)


def main() -> None:
    """Arguments: broker, result backend, then `all`, file for {name: task id}, workers' pids; or `farewell`, queues."""
    broker, backend, what, *more = sys.argv[1:]
    if what == "farewell":
        send_farewells(broker, backend, more)
        return
    sent, *workers = more
    producer = Producer(broker, backend, [int(pid) for pid in workers])
    producer.send_all()
    Path(sent).write_text(json.dumps(producer.ids))


if __name__ == "__main__":
    main()
