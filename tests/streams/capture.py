"""Record what a real worker sends for one task per exit path, as one JSON object a line.

    python -m tests.streams.capture OUT.jsonl --pool prefork

Starts a Redis and a worker of its own. The recorded files in this folder are replayed by `tests/unit/test_streams.py`;
`tests/integration/test_exit_paths.py` makes a fresh recording with the Celery that is installed.
"""

import argparse
import contextlib
import json
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from celery import Celery
from celery.events.event import get_exchange
from kombu.entity import Queue
from kombu.message import Message
from kombu.messaging import Consumer

from tests.servers import CeleryWorker, RedisServer, wait_for

ROOT = Path(__file__).parents[2]

#: Task name, arguments, options of `send_task`, and the type of its last event.
Path_ = tuple[str, tuple[Any, ...], dict[str, Any], str]

#: Exit path -> how its task is sent.
PATHS: dict[str, Path_] = {
    "succeed": ("tests.add", (3, 4), {}, "task-succeeded"),
    "fail": ("tests.fail", (), {}, "task-failed"),
    "retry": ("tests.retry", (3, 0.05), {}, "task-succeeded"),
    "ignore": ("tests.ignore", (), {}, "task-started"),
    "reject": ("tests.reject", (), {}, "task-rejected"),
    "requeue": ("tests.requeue", (), {}, "task-succeeded"),
    "update_state": ("tests.progress", (0.01,), {}, "task-succeeded"),
    "progress": ("tests.tell", (), {}, "task-succeeded"),
    "revoke": ("tests.sleep", (0,), {"countdown": 2}, "task-revoked"),
    "expire": ("tests.sleep", (0,), {"countdown": 2, "expires": 0.5}, "task-revoked"),
}
#: Only where the pool can enforce limits.
LIMITS: dict[str, Path_] = {
    "soft_limit": ("tests.soft_limit", (), {"kwargs": {"answered": False}}, "task-failed"),
    "hard_limit": ("tests.hard_limit", (), {}, "task-failed"),
}


class Recording(NamedTuple):
    """What was sent and what came of it."""

    #: Exit path -> task id.
    ids: dict[str, str]
    #: Events as sent, in the order of receipt.
    events: list[dict[str, Any]]


class Recorder:
    """Every event of a broker, in the order of receipt, from its own thread."""

    def __init__(self, app: Celery) -> None:
        self.events: list[dict[str, Any]] = []
        self._app = app
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Recorder":
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        with self._app.connection_for_read() as connection:
            exchange = get_exchange(connection, name=self._app.conf.event_exchange)
            queue = Queue("recorder", exchange, routing_key="#", auto_delete=True, durable=False)
            with Consumer(connection, [queue], on_message=self._take, no_ack=True, accept=["json"]):
                self._ready.set()
                while not self._stop.is_set():
                    with contextlib.suppress(TimeoutError):
                        connection.drain_events(timeout=0.2)

    def _take(self, message: Message) -> None:
        body = json.loads(message.body)
        self.events.extend(body if isinstance(body, list) else [body])

    def seen(self, uuid: str, type_: str) -> int:
        """How many events of this type came for this task."""
        return sum(event.get("uuid") == uuid and event["type"] == type_ for event in list(self.events))


def record(app: Celery, paths: Mapping[str, Path_], start_worker: Callable[[], object]) -> Recording:
    """Send one task per path and wait until each has said its last word."""
    ids: dict[str, str] = {}
    with Recorder(app) as recorder:
        start_worker()
        for path, (name, args, options, _) in paths.items():
            ids[path] = app.send_task(name, args=args, **options).id
        if "revoke" in ids:
            wait_for(lambda: recorder.seen(ids["revoke"], "task-received"), 20)
            app.control.revoke(ids["revoke"])
        for path, (_, _, _, last_word) in paths.items():
            wait_for(partial(recorder.seen, ids[path], last_word), 40)
        return Recording(ids, list(recorder.events))


def main(argv: list[str] | None = None) -> int:
    """Record one stream into a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pool", default="prefork", choices=["prefork", "threads", "gevent", "solo"])
    options = parser.parse_args(argv)
    with RedisServer() as redis:
        recording = record_pool(redis.url, options.pool)
    lines = [json.dumps({"paths": recording.ids}), *(json.dumps(event) for event in recording.events)]
    text = "\n".join(lines) + "\n"
    for real, shown in (
        (sys.prefix, "/srv/shop/.venv"),
        (str(ROOT), "/srv/shop"),
        (socket.gethostname(), "host"),
    ):
        text = text.replace(real, shown)
    options.out.write_text(text, encoding="utf-8")
    return 0


def record_pool(broker: str, pool: Any) -> Recording:
    """A recording of a fresh worker with this pool."""
    app = Celery("recorder", broker=broker, set_as_current=False)
    app.conf.task_send_sent_event = True
    paths = PATHS | LIMITS if pool == "prefork" else PATHS
    worker = CeleryWorker(broker, pool=pool, backend=broker)
    with ExitStack() as stack:
        return record(app, paths, lambda: stack.enter_context(worker))


if __name__ == "__main__":
    raise SystemExit(main())
