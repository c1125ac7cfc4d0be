"""Makes the tasks that both monitors see: one at least for every way to live and end, and gives them names.

Runs as a process of its own (`cluster` starts it), in the time zone of the workers and monitors. States are
reached by waiting for them, never by sleeping.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from celery import Celery, chain, chord, group
from celery.result import AsyncResult

from tests.compat import sample_app as shop
from tests.compat.cluster import wait_until

#: Many equal ones, for paging.
BULK = 24


class Producer:
    """Sends the tasks of one run through `url`; `ids` maps the names that `cases` use to task ids."""

    def __init__(self, url: str) -> None:
        shop.app.conf.update(broker_url=url, result_backend=url.replace("/0", "/1"))
        self.ids: dict[str, str] = {}
        self._quiet = Celery("quiet", broker=url, backend=url.replace("/0", "/1"))
        self._quiet.conf.task_send_sent_event = False

    def send_all(self) -> None:
        """Send every kind of task and wait until each has come as far as it will."""
        wait_until(lambda: len(shop.app.control.ping(timeout=0.5)) == 2, 60, "both workers answer")
        self._send_finishing()
        self._send_texts()
        self._send_families()
        self._send_odd()
        self._send_lasting()

    def _keep(self, name: str, result: AsyncResult, state: str | None = None) -> AsyncResult:
        self.ids[name] = result.id
        if state:
            wait_until(lambda: result.state == state, 30, f"{name} becomes {state}")
        return result

    def _send_finishing(self) -> None:
        self._keep("success", shop.add.delay(2, 3), "SUCCESS")
        self._keep("failure", shop.fail.delay('bad "input" (1)'), "FAILURE")
        self._keep("retried", shop.flaky.delay(2), "SUCCESS")
        self._keep("exhausted", shop.exhaust.delay(), "FAILURE")
        self._keep("none", shop.noop.delay(), "SUCCESS")
        self._keep("soft_limit", shop.soft.delay(), "FAILURE")
        self._keep("hard_limit", shop.hard.delay(), "FAILURE")
        self._keep("rejected", shop.reject.delay())
        self._keep("ignored", shop.ignore.delay())
        self._keep("unsent", self._quiet.send_task("compat.add", (40, 2)), "SUCCESS")
        for number in range(BULK):
            queue = "second" if number % 3 else "celery"
            last = shop.nap.apply_async((0.01 * (number % 5),), queue=queue)
            self._keep(f"bulk{number}", last)
        self._keep("last_bulk", shop.add.apply_async((1, 1), queue="second"), "SUCCESS")

    def _send_texts(self) -> None:
        """Arguments and results that are hard to print, quote and search."""
        self._keep(
            "unicode", shop.echo.delay("Grüße, 花瓶 (“quoted”) 🌷", note='it\'s "so" (really)'), "SUCCESS"
        )
        self._keep("pairs", shop.echo.delay(order=17, customer="Zoë", tags=["a", "b"], flag=True), "SUCCESS")
        self._keep("markup", shop.echo.delay("<b>&amp;</b>", note="</script>", path="a\\b\nc"), "SUCCESS")
        self._keep("long", shop.echo.delay("x" * 3000, ["y" * 50] * 40), "SUCCESS")
        self._keep(
            "printed",
            shop.echo.apply_async((1, 2), argsrepr="(hidden)", kwargsrepr="{'a': '***'}"),
            "SUCCESS",
        )

    def _send_families(self) -> None:
        parent = self._keep("parent", shop.spawn.delay(2), "SUCCESS")
        for number, child in enumerate(parent.get()):
            self._keep(f"child{number}", AsyncResult(child, app=shop.app), "SUCCESS")
        self._keep("chain", chain(shop.add.s(1, 2), shop.add.s(3), shop.noop.si()).delay(), "SUCCESS")
        results = group(shop.add.s(number, number) for number in range(3)).delay()
        for number, result in enumerate(results):
            self._keep(f"group{number}", result, "SUCCESS")
        self._keep("chord", chord([shop.add.s(1, 1), shop.add.s(2, 2)])(shop.total.s()), "SUCCESS")

    def _send_odd(self) -> None:
        self._keep("unregistered", shop.app.send_task("compat.unknown", ("no such task",)))
        self._keep("orphan", shop.app.send_task("compat.nowhere", (1,), queue="nobody"))
        self._keep(
            "expired",
            shop.add.apply_async((6, 6), expires=datetime.now(UTC) - timedelta(seconds=5)),
            "REVOKED",
        )
        revoked = self._keep("revoked", shop.add.apply_async((7, 7), countdown=2))
        revoked.revoke()
        self._keep("progress", shop.progress.delay(), "SUCCESS")
        wait_until(lambda: revoked.state == "REVOKED", 30, "revoked")

    def _send_lasting(self) -> None:
        """Tasks that stay as they are until the end of the run."""
        self._keep("waiting", shop.postpone.delay(), "RETRY")
        self._keep("eta", shop.add.apply_async((9, 9), eta=datetime.now(UTC) + timedelta(hours=2)))
        self._keep("countdown", shop.add.apply_async((8, 8), countdown=7200, queue="second", expires=9000))
        self._keep("held", shop.hold.delay(3600), "STARTED")
        stopped = self._keep("terminated", shop.hold.apply_async((3600,), queue="second"), "STARTED")
        stopped.revoke(terminate=True)
        wait_until(lambda: stopped.state == "REVOKED", 30, "terminated")


def main() -> None:
    """Send everything to the broker named by the first argument; write {name: task id} to the second."""
    producer = Producer(sys.argv[1])
    producer.send_all()
    Path(sys.argv[2]).write_text(json.dumps(producer.ids))


if __name__ == "__main__":
    main()
