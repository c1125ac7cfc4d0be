"""A pipeline over a history in memory, and the events that tests give to it."""

import json
from typing import Any

from tests.unit.memory_history import MemoryHistory
from umbel.ingest.buffer import Buffer
from umbel.ingest.decode import Decoder
from umbel.ingest.pipeline import Pipeline
from umbel.ingest.source import Message
from umbel.ingest.workers import WorkerBook
from umbel.model.redact import Redactor

NOW = 1_790_000_000.0


class Run:
    """A pipeline over a history in memory."""

    def __init__(self, history: MemoryHistory | None = None) -> None:
        self.history = history or MemoryHistory()
        self.buffer = Buffer(10_000_000, clock=lambda: NOW)
        self.book = WorkerBook(self.history.workers.values(), grace=3600, limit=100)
        self.acknowledged: list[int] = []
        self.now = NOW + 1
        self.pipeline = Pipeline(
            self.history,
            self.buffer,
            self.book,
            decoder=Decoder(max_message=1_000_000, max_text=10_000),
            redactor=Redactor(),
            acknowledge=self.acknowledged.append,
            clock=lambda: self.now,
        )

    def put(self, *events: dict[str, Any], tag: int | None = None) -> None:
        body = json.dumps(list(events) if len(events) > 1 else events[0]).encode()
        assert self.buffer.put([Message(body, "application/json", NOW, tag)])

    def state(self, uuid: str) -> str:
        return self.history.tasks[uuid][0].state


def event(type_: str, uuid: str | None = "t-1", at: float = 0.0, **fields: Any) -> dict[str, Any]:
    base = {"type": type_, "hostname": "celery@a", "pid": 7, "clock": 1, "timestamp": NOW + at}
    return {**base, "uuid": uuid, **fields} if uuid else {**base, **fields}


def whole_life(uuid: str = "t-1") -> list[dict[str, Any]]:
    return [
        event("task-received", uuid, 0, name="shop.pay", args="(1,)", kwargs="{'password': 'x'}"),
        event("task-started", uuid, 1),
        event("task-succeeded", uuid, 2, runtime=0.5, result="3"),
    ]
