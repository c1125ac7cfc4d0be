"""A real history that a test tells events: SQLite behind the real pipeline, without a broker.

Used by the tests of the web side, which want to decide what happened when.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from umbel.ingest.buffer import Buffer
from umbel.ingest.decode import Decoder
from umbel.ingest.pipeline import Pipeline
from umbel.ingest.source import Message
from umbel.ingest.workers import WorkerBook
from umbel.model.redact import Redactor
from umbel.store.base import Changes
from umbel.store.retention import Limits
from umbel.store.sqlite_reader import SQLiteReader
from umbel.store.sqlite_writer import SQLiteWriter
from umbel.store.status import CollectorStatus

BUCKETS = (0.1, 1.0, 10.0)
W1, W2, CLIENT = "w1@test", "w2@test", "gen9@test"


class ToldHistory:
    """`tell` stores at once; `reader` reads it."""

    def __init__(self, folder: Path) -> None:
        path = folder / "history.sqlite3"
        self.writer = SQLiteWriter(path, limits=Limits(), buckets=BUCKETS)
        self.writer.open()
        self.reader = SQLiteReader(path, buckets=BUCKETS)
        self.reader.open()
        self.book = WorkerBook([], grace=3600.0, limit=5000)
        self._buffer = Buffer(10_000_000, clock=time.time)
        self.pipeline = Pipeline(
            self.writer,
            self._buffer,
            self.book,
            decoder=Decoder(max_message=1_000_000, max_text=65_536),
            redactor=Redactor(),
            acknowledge=lambda tag: None,
            clock=time.time,
        )

    def tell(self, type_: str, uuid: str | None = None, *, hostname: str = W1, **fields: Any) -> None:
        """One event, as a worker or client would send it, stored when this returns."""
        self._send(type_, uuid, hostname=hostname, **fields)
        self.pipeline.flush()

    def _send(self, type_: str, uuid: str | None = None, *, hostname: str = W1, **fields: Any) -> None:
        event = {
            "type": type_,
            "hostname": hostname,
            "timestamp": time.time(),
            "pid": 7,
            "clock": 1,
            **fields,
        }
        if uuid is not None:
            event["uuid"] = uuid
        self._buffer.put([Message(msgspec.json.encode(event), "application/json", time.time())])

    def tell_worker(self, hostname: str = W1, **fields: Any) -> None:
        """The worker comes online and sends a heartbeat."""
        common = {"freq": 2.0, "sw_ident": "py-celery", "sw_ver": "5.7.0", "sw_sys": "Linux", **fields}
        self.tell("worker-online", hostname=hostname, **common)
        beat = {"active": 0, "processed": 0, "loadavg": [0.5, 0.4, 0.3]}
        self.tell("worker-heartbeat", hostname=hostname, **{**beat, **common})

        self.judge()

    def judge(self) -> None:
        """Have the collector's judgement of who lives made and stored now."""
        self.book.judge_all(now=time.time(), connected_at=time.time() - 3600)
        changed, removed = self.book.get_changes()
        self.writer.write(Changes(workers=changed, workers_removed=removed))
        self.book.set_stored()

    def tell_task(
        self, uuid: str, *, name: str = "shop.order", at: float, end: str = "succeeded", **fields: Any
    ) -> None:
        """A whole life, stored as one: sent, received, started half a second later, ended after a quarter."""
        common = {"name": name, "args": "(1,)", "kwargs": "{}", "retries": 0, "root_id": uuid, **fields}
        hostname = common.pop("hostname", W1)
        self._send(
            "task-sent",
            uuid,
            hostname=CLIENT,
            timestamp=at,
            queue="celery",
            exchange="",
            routing_key="celery",
            **common,
        )
        self._send("task-received", uuid, hostname=hostname, timestamp=at + 0.25, **common)
        if end != "received":
            self._send("task-started", uuid, hostname=hostname, timestamp=at + 0.5)
        if end == "succeeded":
            self._send(
                "task-succeeded", uuid, hostname=hostname, timestamp=at + 0.75, result="42", runtime=0.25
            )
        elif end == "failed":
            self._send(
                "task-failed", uuid, hostname=hostname, timestamp=at + 0.75, exception="ValueError('no')",
                traceback="Traceback …",
            )  # fmt: skip
        self.pipeline.flush()

    def tell_status(self, **fields: Any) -> CollectorStatus:
        """What the collector would write of itself; all well unless `fields` say otherwise."""
        now = time.time()
        well: dict[str, Any] = {
            "pid": 1, "time": now, "started": now - 60, "state": "connected", "proof_at": now, "events": 3,
        }  # fmt: skip
        status = CollectorStatus(**{**well, **fields})
        self.writer.write_status(status)
        return status

    def close(self) -> None:
        """Let go of the file."""
        self.reader.close()
        self.writer.close()


@contextmanager
def told_history(folder: Path) -> Iterator[ToldHistory]:
    """A history in `folder` for the length of a test."""
    history = ToldHistory(folder)
    try:
        yield history
    finally:
        history.close()
