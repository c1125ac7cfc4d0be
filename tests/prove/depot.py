"""The Celery app of the proof of bulk revocation. Its tasks note their start before they do anything else.

Started as `celery -A tests.prove.depot worker`; `PROVE_BROKER` is the broker, `PROVE_LEDGER` the file to which each
start appends one line.
"""

# mypy: disallow-untyped-decorators=False

import os
import time
from typing import Any

from celery import Celery, Task

app = Celery("depot", broker=os.environ.get("PROVE_BROKER", "memory://"))
app.conf.update(
    task_send_sent_event=True,
    worker_send_task_events=True,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=8,
    worker_hijack_root_logger=False,
    task_default_queue="depot",
)


def note_start(task: Task) -> None:
    """One write with O_APPEND, so that lines of other processes can't mix in."""
    ledger = os.open(os.environ["PROVE_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(ledger, f"{task.request.id} {time.time():.6f}\n".encode())
    finally:
        os.close(ledger)


@app.task(name="depot.ship", bind=True)
def ship(self: Any, order: int) -> int:
    """Takes its time."""
    note_start(self)
    time.sleep(0.4)
    return order


@app.task(name="depot.stock", bind=True)
def stock(self: Any, order: int) -> int:
    """Is at once done."""
    note_start(self)
    return order
