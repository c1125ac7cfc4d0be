"""The tests' monitor fixture: started by its real command line, killed as a group, back on the same history."""

import psutil
import pytest

from tests.apps.tasks import make_app
from tests.conftest import UmbelFactory, WorkerFactory
from tests.servers import wait_for


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
