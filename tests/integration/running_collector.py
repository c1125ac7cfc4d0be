"""A supervised collector process over a history of its own, for one test."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.servers.process import wait_for
from umbel.ingest.settings import CollectorSettings
from umbel.ingest.supervise import CollectorProcess
from umbel.model.task import Task
from umbel.model.worker import Worker
from umbel.store.sqlite_reader import SQLiteReader
from umbel.store.status import CollectorStatus


class RunningCollector:
    """Start it with `with`; connected when entered."""

    def __init__(self, broker: str, folder: Path, *, connect: bool = True, **options: Any) -> None:
        self.path = folder / "history.sqlite3"
        self.settings = CollectorSettings(
            celery={"broker_url": broker}, store_path=str(self.path), store_id="test", **options
        )
        self.process = CollectorProcess(self.settings)
        self.reader = SQLiteReader(self.path, buckets=self.settings.buckets)
        self._connect = connect

    def __enter__(self) -> Self:
        self.process.start()
        if self._connect:
            self.wait_for(lambda status: status.state == "connected", 40.0)
            self.reader.open()
        return self

    def __exit__(self, *exc: object) -> None:
        self.reader.close()
        self.process.stop()

    def wait_for(
        self, condition: Callable[[CollectorStatus], object], timeout: float = 15.0
    ) -> CollectorStatus:
        """Wait until the collector says of itself what is asked for."""

        def holds() -> CollectorStatus | None:
            status = self.process.status()
            return status if status is not None and condition(status) else None

        found = wait_for(holds, timeout, message=lambda: str(self.process.status()))
        assert found is not None
        return found

    def task(self, uuid: str) -> Task | None:
        detail = self.reader.fetch_task(uuid)
        return None if detail is None else detail.task

    def wait_for_state(self, uuid: str, state: str, timeout: float = 20.0) -> Task:
        def has_state() -> Task | None:
            task = self.task(uuid)
            return task if task is not None and task.state == state else None

        found = wait_for(has_state, timeout, message=lambda: str(self.task(uuid)))
        assert found is not None
        return found

    def worker(self, hostname: str) -> Worker | None:
        return next((worker for worker in self.reader.fetch_workers() if worker.hostname == hostname), None)

    def wait_for_status(self, hostname: str, status: str, timeout: float) -> float:
        """Wait for a worker's label; return how long it took."""
        begun = time.monotonic()

        def has_status() -> bool:
            worker = self.worker(hostname)
            return worker is not None and worker.status == status

        wait_for(has_status, timeout, message=lambda: f"{self.worker(hostname)} {self.process.status()}")
        return time.monotonic() - begun
