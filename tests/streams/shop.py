"""A Celery app with one task for each way in which a task can end. Broker from `SHOP_BROKER`."""

import os
import time
from typing import Any

from celery import Celery, Task
from celery.exceptions import Ignore, Reject

app = Celery(
    "shop", broker=os.environ.get("SHOP_BROKER", "memory://"), backend=os.environ.get("SHOP_BACKEND")
)
app.conf.update(
    task_send_sent_event=True,
    worker_send_task_events=True,
    task_acks_late=True,
    result_extended=True,
    broker_connection_retry_on_startup=True,
)


@app.task(name="shop.succeed")
def succeed(value: Any = 1) -> Any:
    return value


@app.task(name="shop.fail")
def fail() -> None:
    raise ValueError("no stock")


@app.task(name="shop.retry", bind=True, max_retries=5)
def retry(self: Task, times: int = 3) -> str:
    if self.request.retries < times:
        raise self.retry(exc=ConnectionError(f"try {self.request.retries}"), countdown=0.05)
    return "at last"


@app.task(name="shop.ignore")
def ignore() -> None:
    raise Ignore()


@app.task(name="shop.reject")
def reject() -> None:
    raise Reject("bad message", requeue=False)


@app.task(name="shop.requeue", bind=True)
def requeue(self: Task) -> str:
    if not self.request.delivery_info.get("redelivered"):
        raise Reject("not now", requeue=True)
    return "taken the second time"


@app.task(name="shop.soft_limit", soft_time_limit=0.5)
def soft_limit() -> None:
    time.sleep(20)


@app.task(name="shop.hard_limit", time_limit=1)
def hard_limit() -> None:
    time.sleep(20)


@app.task(name="shop.sleep")
def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@app.task(name="shop.update_state", bind=True)
def update_state(self: Task) -> str:
    self.update_state(state="PACKING", meta={"done": 3})
    return "packed"


@app.task(name="shop.progress", bind=True)
def progress(self: Task) -> str:
    with self.app.events.default_dispatcher() as dispatcher:
        dispatcher.send("task-progress", uuid=self.request.id, percent=50)
    return "done"
