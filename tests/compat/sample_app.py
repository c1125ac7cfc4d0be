"""The Celery app that both monitors watch: one task for every way to end. Loaded without its package."""

# mypy: disallow-untyped-decorators=False

import time
from typing import Any

from celery import Celery, Task
from celery.exceptions import Ignore, Reject

app = Celery("compat")
app.conf.update(
    worker_send_task_events=True,
    worker_prefetch_multiplier=8,
    task_track_started=True,
    result_expires=3600,
    timezone="UTC",
    broker_connection_retry_on_startup=True,
)


@app.task(name="compat.add")
def add(x: int, y: int) -> int:
    return x + y


@app.task(name="compat.total")
def total(numbers: list[int]) -> int:
    return sum(numbers)


@app.task(name="compat.echo")
def echo(*args: Any, **kwargs: Any) -> Any:
    return {"args": args, "kwargs": kwargs}


@app.task(name="compat.noop")
def noop() -> None:
    return None


@app.task(name="compat.nap")
def nap(seconds: float) -> str:
    time.sleep(seconds)
    return f"slept {seconds}"


@app.task(name="compat.hold")
def hold(seconds: float) -> None:
    time.sleep(seconds)


@app.task(name="compat.fail")
def fail(text: str) -> None:
    raise ValueError(text)


@app.task(name="compat.flaky", bind=True, max_retries=5)
def flaky(self: Task, failures: int) -> str:
    if self.request.retries < failures:
        raise self.retry(exc=ConnectionError(f"try {self.request.retries} </b> & 'more'"), countdown=0.1)
    return f"after {failures}"


@app.task(name="compat.exhaust", bind=True, max_retries=1)
def exhaust(self: Task) -> None:
    raise self.retry(exc=TimeoutError("never"), countdown=0.1)


@app.task(name="compat.postpone", bind=True)
def postpone(self: Task) -> None:
    """Retry where nobody listens: else the state in Flower hangs on which event the worker sends first."""
    raise self.retry(exc=OSError("come back tomorrow"), countdown=86400, queue="nobody")


@app.task(name="compat.ignore")
def ignore() -> None:
    raise Ignore


@app.task(name="compat.reject")
def reject() -> None:
    raise Reject("no thanks", requeue=False)


@app.task(name="compat.soft", soft_time_limit=0.3)
def soft() -> None:
    time.sleep(30)


@app.task(name="compat.hard", time_limit=1)
def hard() -> None:
    time.sleep(30)


@app.task(name="compat.spawn")
def spawn(children: int) -> list[str]:
    return [add.delay(number, 1).id for number in range(children)]


@app.task(name="compat.progress", bind=True)
def progress(self: Task) -> str:
    self.send_event("task-progress", percent=50)
    return "half way was told"
