"""The tests' Celery app: one task for every way a task can end.

`app` is what `celery -A tests.apps.tasks` runs; tests send to it through `make_app(broker)`.
"""

import os
import time
from typing import Any

from celery import Celery, shared_task
from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded


def make_app(broker: str | None = None, backend: str | None = None, **settings: Any) -> Celery:
    """Return an app that knows every task below, on a broker of the caller's choice."""
    app = Celery("tests.apps.tasks", broker=broker, backend=backend, set_as_current=False)
    app.conf.update(broker_connection_retry_on_startup=True, result_extended=True)
    app.conf.update(settings)
    app.finalize()
    return app


@shared_task(name="tests.add")
def add(x: float, y: float) -> float:
    """Succeed with the sum."""
    return x + y


@shared_task(name="tests.echo")
def echo(*args: Any, **kwargs: Any) -> Any:
    """Succeed with the arguments."""
    return [args, kwargs]


@shared_task(name="tests.sleep")
def sleep(seconds: float) -> float:
    """Block, then succeed."""
    time.sleep(seconds)
    return seconds


@shared_task(name="tests.fail")
def fail(message: str = "no such order") -> None:
    """Fail."""
    raise ValueError(message)


@shared_task(name="tests.retry", bind=True, max_retries=10)
def retry(self: Any, times: int = 3, countdown: float = 0.1) -> int:
    """Retry `times` times, then succeed with the number of retries."""
    if self.request.retries < times:
        raise self.retry(exc=ConnectionError(f"try {self.request.retries}"), countdown=countdown)
    retries: int = self.request.retries
    return retries


@shared_task(name="tests.give_up", bind=True)
def give_up(self: Any, times: int = 1) -> None:
    """Retry `times` times, then fail."""
    raise self.retry(exc=ConnectionError("gave up"), countdown=0.1, max_retries=times)


@shared_task(name="tests.ignore")
def ignore() -> None:
    """End without a result."""
    raise Ignore


@shared_task(name="tests.reject", acks_late=True)
def reject() -> None:
    """Reject without requeue."""
    raise Reject("not wanted", requeue=False)


@shared_task(name="tests.requeue", bind=True, acks_late=True)
def requeue(self: Any) -> str:
    """Reject with requeue at the first delivery, succeed at the next."""
    if not self.request.delivery_info.get("redelivered"):
        raise Reject("later", requeue=True)
    return "second delivery"


@shared_task(name="tests.soft_limit", soft_time_limit=0.5)
def soft_limit(seconds: float = 20.0, *, answered: bool = True) -> str:
    """Run into the soft limit of 0.5 s, and answer it or fail."""
    try:
        time.sleep(seconds)
    except SoftTimeLimitExceeded:
        if not answered:
            raise
        return "cleaned up"
    return "too quick"


@shared_task(name="tests.hard_limit", time_limit=1)
def hard_limit(seconds: float = 20.0) -> None:
    """Run into the hard limit of 1 s."""
    time.sleep(seconds)


@shared_task(name="tests.progress", bind=True)
def progress(self: Any, seconds: float = 0.2) -> str:
    """Report a state of its own, then succeed."""
    self.update_state(state="PROGRESS", meta={"done": 1, "of": 2})
    time.sleep(seconds)
    return "done"


@shared_task(name="tests.tell", bind=True)
def tell(self: Any) -> str:
    """Send an event of its own, then succeed."""
    with self.app.events.default_dispatcher() as dispatcher:
        dispatcher.send("task-progress", uuid=self.request.id, percent=50)
    return "told"


@shared_task(name="tests.parent")
def parent() -> str:
    """Start a child task and return its id."""
    child_id: str = add.delay(1, 1).id
    return child_id


app = make_app(enable_utc=os.environ.get("TESTS_ENABLE_UTC", "1") == "1")
