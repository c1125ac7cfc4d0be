"""An app whose tasks write down what they received, in the folder `RECORD_FOLDER`.

`RECORD_SETTINGS` is JSON for its configuration.
"""

import json
import os
import pickle
from pathlib import Path
from typing import Any

from celery import Celery, Task

FOLDER, SETTINGS = "RECORD_FOLDER", "RECORD_SETTINGS"
#: Of a task's request what a repetition is to have again.
TOLD = ("timelimit", "headers", "parent_id", "root_id", "delivery_info")


def make_app(broker: str | None, backend: str | None, **settings: Any) -> Celery:
    """The app, on a broker and a backend of the caller's choice."""
    app = Celery("tests.apps.recording", broker=broker, backend=backend, set_as_current=False)
    app.conf.update(broker_connection_retry_on_startup=True, result_extended=True, task_send_sent_event=True)
    app.conf.update(settings)

    @app.task(name="tests.record", bind=True, shared=False)
    def record(self: "Task[Any, Any]", *args: Any, **kwargs: Any) -> str:
        """Write down what was received; fail where it says so."""
        told = {name: getattr(self.request, name, None) for name in TOLD}
        path = Path(os.environ[FOLDER]) / str(self.request.id)
        part = path.with_suffix(".part")
        part.write_bytes(pickle.dumps((args, kwargs, told)))
        part.replace(path)
        if kwargs.get("fail"):
            raise ValueError("as it was told")
        return "recorded"

    @app.task(name="tests.change", bind=True, shared=False)
    def change(self: "Task[Any, Any]", items: list[Any]) -> None:
        """Take its argument apart, as tasks should not."""
        items.clear()

    return app


app = make_app(None, None, **json.loads(os.environ.get(SETTINGS, "{}")))
