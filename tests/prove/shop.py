"""The Celery app of the proofs. Its tasks keep a ledger of their own, so that truth does not rest on events.

Started as `celery -A tests.prove.shop worker`; `PROVE_BROKER` is the broker, `PROVE_LEDGER` the ledger's file.
Every run of a task appends one JSON line with O_APPEND just before it ends: see `tests.prove.ledger`.
"""

# mypy: disallow-untyped-decorators=False, warn-return-any=False

import ctypes
import json
import os
import time
from typing import Any

from celery import Celery, Task

app = Celery("prove", broker=os.environ.get("PROVE_BROKER", "memory://"))
app.conf.update(
    task_send_sent_event=True,
    worker_send_task_events=True,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=8,
    worker_hijack_root_logger=False,
    task_default_queue=os.environ.get("PROVE_QUEUE", "celery"),
)


class OutOfStock(Exception):
    """There is nothing left to sell."""


def note(task: Task, outcome: str, value: str) -> None:
    """Append one run of `task` to the ledger: one write, so that lines of other processes can't mix in."""
    request = task.request
    line = json.dumps({
        "uuid": request.id, "name": task.name, "retries": request.retries, "outcome": outcome, "value": value,
        "time": time.time(), "worker": request.hostname,
    })  # fmt: skip
    ledger = os.open(os.environ["PROVE_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(ledger, line.encode() + b"\n")
    finally:
        os.close(ledger)


@app.task(name="prove.sell", bind=True)
def sell(self: Task, order: int) -> dict[str, Any]:
    """Succeeds."""
    result = {"order": order, "sold": order * 7}
    note(self, "SUCCESS", repr(result))
    return result


@app.task(name="prove.refuse", bind=True)
def refuse(self: Task, order: int) -> None:
    """Fails."""
    error = OutOfStock(f"order {order}")
    note(self, "FAILURE", repr(error))
    raise error


@app.task(name="prove.insist", bind=True, max_retries=5)
def insist(self: Task, order: int, times: int) -> str:
    """Is retried `times` times; then succeeds, or fails where the order's number is odd."""
    if self.request.retries < times:
        error = ConnectionError(f"order {order}, try {self.request.retries}")
        note(self, "RETRY", repr(error))
        # long enough for its worker to tell of this run first: events don't say which run of a task they are of
        raise self.retry(exc=error, countdown=1.0)
    if order % 2:
        failure = OutOfStock(f"order {order} in the end")
        note(self, "FAILURE", repr(failure))
        raise failure
    note(self, "SUCCESS", repr(f"order {order} at last"))
    return f"order {order} at last"


@app.task(name="prove.block", bind=True)
def block(self: Task, seconds: int) -> int:
    """Blocks for real: a C library's sleep, which gevent cannot turn into its own."""
    started = time.monotonic()
    libc = ctypes.CDLL(None)
    while (left := seconds - (time.monotonic() - started)) > 0:
        libc.usleep(int(min(left, 0.9) * 1e6))
    note(self, "SUCCESS", repr(seconds))
    return seconds


@app.task(name="prove.tick")
def tick() -> str:
    """Quick, and kept in no ledger."""
    return "tock"
