"""The tests' monitor fixture: started by its real command line, killed as a group, back on the same history."""

import time
from pathlib import Path

import psutil
import pytest

from tests.apps.tasks import make_app
from tests.conftest import UmbelFactory, WorkerFactory
from tests.servers import wait_for

#: Times a second that an idle monitor may wake, all threads together: about 3, and half as many again for the broker's
#: answers. One thread that looks ten times a second is found by it.
WAKES = 8.0


@pytest.mark.timeout(120)
def test_a_killed_monitor_leaves_no_process_and_comes_back_with_its_history(
    redis_url: str, umbel_server: UmbelFactory, celery_worker: WorkerFactory
) -> None:
    umbel = umbel_server(redis_url, arguments=["--basic_auth=ada:pw"])
    login = ("ada", "pw")
    assert umbel.get("/").status == 401
    umbel.wait_until_collecting()
    celery_worker(redis_url, backend=redis_url)
    app = make_app(redis_url, redis_url)
    task = app.send_task("tests.add", (1, 2))
    assert task.get(timeout=20) == 3

    def state() -> str | None:
        answer = umbel.get(f"/api/task/info/{task.id}", auth=login)
        return answer.json()["state"] if answer.status == 200 else None

    wait_for(lambda: state() == "SUCCESS")
    family = [psutil.Process(umbel.pid), *psutil.Process(umbel.pid).children(recursive=True)]
    umbel.kill9()
    wait_for(lambda: not any(process.is_running() for process in family))
    umbel.start()
    assert state() == "SUCCESS"
    assert umbel.terminate() == 0
    app.close()


def count_wakes(pid: int) -> int:
    """How often threads of the monitor have gone to sleep so far."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    states = [path for process in family for path in Path(f"/proc/{process.pid}/task").glob("*/status")]
    lines = [line for path in states for line in path.read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the system does not tell")
@pytest.mark.timeout(120)
def test_a_monitor_sleeps_while_nothing_happens_and_answers_at_once(
    redis_url: str, umbel_server: UmbelFactory
) -> None:
    umbel = umbel_server(redis_url)
    umbel.wait_until_collecting()

    def is_quiet() -> bool:
        before, began = count_wakes(umbel.pid), time.monotonic()
        time.sleep(3)
        return (count_wakes(umbel.pid) - before) / (time.monotonic() - began) < WAKES

    # a start goes on for some seconds after it can be used
    wait_for(is_quiet, 60.0, retry=(FileNotFoundError,))
    first = umbel.get("/healthcheck")
    assert first.headers["date"].endswith(" GMT")
    wait_for(lambda: umbel.get("/healthcheck").headers["date"] != first.headers["date"])
    began = time.monotonic()
    assert umbel.terminate() == 0
    assert time.monotonic() - began < 5
