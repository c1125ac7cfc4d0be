"""A monitor that stood still, as on a laptop that slept, calls nobody lost for it and loses no event."""

import time

import pytest

from tests.apps.tasks import make_app
from tests.prove.stage import Broker, make_broker
from tests.servers import CeleryWorker, UmbelServer
from tests.servers.process import wait_for

pytestmark = pytest.mark.prove

#: Seconds: longer than a silent worker has until it is lost, and than the broker has to prove that it is there.
STILL = 40.0


@pytest.mark.timeout(240)
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_nobody_is_lost_and_nothing_is_missed_while_we_stood_still(broker: Broker) -> None:
    with make_broker(broker) as server, CeleryWorker(server.url) as worker, UmbelServer(server.url) as umbel:

        def fetch_status() -> str | None:
            listed = umbel.get("/api/v1/workers").json()["items"]
            return next((row["status"] for row in listed if row["hostname"] == worker.hostname), None)

        umbel.wait_until_collecting()
        wait_for(lambda: fetch_status() == "online", 30.0)
        umbel.freeze()
        app = make_app(server.url)
        sent = [app.send_task("tests.add", (n, 1)).id for n in range(20)]
        time.sleep(STILL)
        umbel.thaw()
        seen = []
        until = time.monotonic() + 20
        while time.monotonic() < until:
            seen.append(fetch_status())
            time.sleep(0.05)
        assert set(seen) <= {"online", "unknown"}
        assert seen[-1] == "online"
        states = {umbel.get(f"/api/v1/tasks/{uuid}").json()["state"] for uuid in sent}
        assert states == {"SUCCESS"}
