"""A machine whose clock is set, as where it booted with a wrong one: what is shown of workers is true soon after."""

import time
from pathlib import Path

import pytest

from tests.apps.tasks import make_app
from tests.servers import CeleryWorker, RedisServer, UmbelServer
from tests.servers.process import wait_for

pytestmark = pytest.mark.prove

HOUR, MONTHS = 3600.0, 90 * 86400.0
#: Seconds: more than from one run of retention to the next while events come.
RETENTION = 15
#: Where `sitecustomize` lies, which has the monitor see another time than the worker does.
SET_CLOCK = Path(__file__).parents[1] / "apps" / "set_clock"
ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_worker_that_dies_after_the_clock_was_set_is_lost_soon(tmp_path: Path, step: float) -> None:
    ahead = tmp_path / "ahead"
    ahead.write_text("0")
    environment = {"PYTHONPATH": f"{SET_CLOCK}:{ROOT}", "CLOCK_AHEAD": str(ahead)}
    with (
        RedisServer() as server,
        CeleryWorker(server.url) as dying,
        CeleryWorker(server.url) as living,
        UmbelServer(server.url, environment=environment) as umbel,
    ):

        def fetch_status(worker: CeleryWorker) -> str | None:
            listed = umbel.get("/api/v1/workers").json()["items"]
            return next((row["status"] for row in listed if row["hostname"] == worker.hostname), None)

        umbel.wait_until_collecting()
        wait_for(lambda: {fetch_status(dying), fetch_status(living)} == {"online"}, 30.0)
        ahead.write_text(str(step))
        wait_for(lambda: abs(umbel.get("/api/v1/status").json()["now"] - time.time() - step) < 2, 5.0)
        seen = set()
        until = time.monotonic() + 10
        while time.monotonic() < until:
            seen |= {fetch_status(dying), fetch_status(living)}
            time.sleep(0.1)
        assert seen <= {"online", "unknown"}
        umbel.wait_until_collecting(5.0)
        dying.kill9()
        wait_for(lambda: fetch_status(dying) == "lost", 40.0, message=lambda: umbel.log()[-2000:])
        assert fetch_status(living) == "online"
        status = umbel.get("/api/v1/status").json()
        assert (status["ready"], status["notices"]) == (True, [])


@pytest.mark.timeout(180)
def test_a_clock_that_is_months_ahead_takes_no_history(tmp_path: Path) -> None:
    ahead = tmp_path / "ahead"
    ahead.write_text("0")
    environment = {"PYTHONPATH": f"{SET_CLOCK}:{ROOT}", "CLOCK_AHEAD": str(ahead)}
    with (
        RedisServer() as server,
        CeleryWorker(server.url),
        UmbelServer(server.url, environment=environment, arguments=["--retention=30d"]) as umbel,
    ):
        app, sent = make_app(server.url), 0

        def let_time_pass(seconds: int) -> None:
            nonlocal sent
            for _ in range(seconds):
                app.send_task("tests.add", (1, 2))
                sent += 1
                time.sleep(1)
            wait_for(lambda: umbel.get("/api/v1/status").json()["stored_tasks"] == sent, 10.0)

        umbel.wait_until_collecting()
        let_time_pass(2)
        ahead.write_text(str(MONTHS))
        let_time_pass(RETENTION)
        umbel.restart()
        umbel.wait_until_collecting()
        let_time_pass(RETENTION)
        ahead.write_text("0")
        let_time_pass(RETENTION)
        assert umbel.get("/api/v1/status").json()["stored_since"] is None
