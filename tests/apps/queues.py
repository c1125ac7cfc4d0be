"""An app whose broker settings come from the environment, with a task that ends when it is told to.

`TESTS_BROKER` is JSON with Celery settings. A message stays unacknowledged until its task has ended, and a worker takes
one at a time, so that queues hold exactly what tests expect.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from celery import Celery, shared_task


def make_app(broker: str | None = None, **settings: Any) -> Celery:
    """Return an app on a broker of the caller's choice."""
    app = Celery("tests.apps.queues", broker=broker, set_as_current=False)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        task_ignore_result=True,
    )
    app.conf.update(settings)
    app.finalize()
    return app


@shared_task(name="tests.wait_for_file")
def wait_for_file(path: str) -> None:
    """Run until there is such a file."""
    while not Path(path).exists():
        time.sleep(0.02)


app = make_app(**json.loads(os.environ.get("TESTS_BROKER", "{}")))
