"""What a bulk revocation finds, and when it may start, over a history in memory and a real control file."""

import asyncio
import time
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.to_thread import run_sync

from tests.integration.web_server import make_deps
from tests.unit.memory_reader import MemoryReader, make_task
from umbel.control.revocation import MOST_TASKS
from umbel.control.revocation_jobs import PREVIEW_LASTS, RevocationJobs
from umbel.store.audit import Asker
from umbel.store.base import Page, TaskQuery
from umbel.store.control_file import FILE_NAME, ControlFile
from umbel.store.revocation_jobs import Job, JobStore
from umbel.store.status import CollectorStatus

ANN = Asker("ann", "basic", "")


class Moving(MemoryReader):
    """A task moves on each time a state has been read."""

    def fetch_tasks(
        self, query: TaskQuery, *, limit: int, cursor: str | None = None, offset: int = 0
    ) -> Page:
        page = super().fetch_tasks(query, limit=limit, cursor=cursor, offset=offset)
        self.tasks = [_moved(task) if task.uuid == "moving" else task for task in self.tasks]
        return page


def _moved(task: Any) -> Any:
    states = ["PENDING", "RECEIVED", "STARTED", "SUCCESS"]
    after = states[min(states.index(task.state) + 1, 3)]
    return make_task("moving", state=after, finished=after == "SUCCESS")


class Stage:
    def __init__(self, folder: Path) -> None:
        self.time = 1000.0
        self.reader = Moving()
        self.deps = make_deps(self.reader, folder)
        self.store = JobStore(ControlFile(folder / FILE_NAME), "test", now=lambda: self.time)
        self.jobs = RevocationJobs(
            self.store, self.deps.audit, self.reader, self.deps.commander, now=lambda: self.time
        )

    def pin(self, *uuids: str) -> Job:
        found = self.jobs.find_ids(uuids)
        job = self.store.fetch(self.store.create(ANN, {}, found.items, found.left_out, "waiting"))
        assert job is not None
        return job


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_task_that_moves_on_meanwhile_is_found_once(stage: Stage) -> None:
    stage.reader.tasks = [
        make_task("moving", state="PENDING", finished=False),
        make_task("waits", state="PENDING", finished=False),
        make_task("held", state="RECEIVED", finished=False),
        make_task("runs", state="STARTED", finished=False),
        make_task("requeued", state="REJECTED", finished=False),
        make_task("rejected", state="REJECTED", finished=True),
        make_task("done", state="SUCCESS", finished=True),
    ]
    found = stage.jobs.find(TaskQuery())
    assert sorted(item.uuid for item in found.items) == ["held", "moving", "requeued", "runs", "waits"]
    assert found.left_out["REJECTED"] == 1
    narrowed = stage.jobs.find(TaskQuery(states=("received", "nosuch")))
    assert [item.uuid for item in narrowed.items] == ["held"]
    assert narrowed.left_out == {}


def test_ids_are_pinned_once_and_ended_ones_left_out(stage: Stage) -> None:
    stage.reader.tasks = [
        make_task("waits", state="PENDING", finished=False), make_task("done", state="SUCCESS", finished=True),
    ]  # fmt: skip
    found = stage.jobs.find_ids(["waits", "done", "waits", "unknown"])
    assert [(item.uuid, item.state) for item in found.items] == [("waits", "PENDING"), ("unknown", None)]
    assert (found.left_out, found.is_too_many) == ({"SUCCESS": 1}, False)
    assert stage.jobs.find_ids([str(n) for n in range(MOST_TASKS + 1)]).is_too_many


def test_a_job_starts_from_a_fresh_preview_only(stage: Stage) -> None:
    job = stage.pin("a", "b")
    assert stage.jobs.why_not_start(job) == ""
    stage.time += PREVIEW_LASTS + 1
    assert "older than 15 minutes" in stage.jobs.why_not_start(job)
    assert "no task" in stage.jobs.why_not_start(stage.pin())
    job = stage.pin("a")
    assert stage.store.begin(job.id, command=1, terminate=False, signal="")
    begun = stage.store.fetch(job.id)
    assert begun is not None
    assert "started already" in stage.jobs.why_not_start(begun)


def test_workers_are_not_told_of_more_than_they_remember(stage: Stage) -> None:
    for part in range(2):
        job = stage.pin(*(f"{part}-{n}" for n in range(MOST_TASKS)))
        assert stage.jobs.why_not_start(job) == ""
        assert stage.store.begin(job.id, command=1, terminate=False, signal="")
        stage.store.end(job.id, "done")
    third = stage.pin(*(f"3-{n}" for n in range(10_001)))
    why = stage.jobs.why_not_start(third)
    assert "Workers remember 50,000" in why
    assert "40,000 in the last 3 hours" in why
    stage.time += 3 * 3600.0 + 1
    assert stage.jobs.why_not_start(stage.pin("a")) == ""


@pytest.mark.anyio
async def test_nothing_is_called_revoked_where_no_worker_was_told(stage: Stage) -> None:
    stage.time = time.time()
    stage.reader.status = CollectorStatus(
        pid=1, time=stage.time + 60, started=0.0, state="connected", proof_at=stage.time + 60
    )
    stage.reader.tasks = [make_task("runs", state="STARTED", finished=False)]
    job = await run_sync(stage.pin, "waits", "runs")
    assert await stage.jobs.begin(job, ANN, terminate=False, signal="")
    # of two that start at once one is refused, and so is the same once more
    assert not await stage.jobs.begin(job, ANN, terminate=False, signal="")
    assert stage.jobs.running == job.id
    with anyio.fail_after(20.0):
        while stage.jobs.running is not None:
            await anyio.sleep(0.05)
    done = await run_sync(stage.store.fetch, job.id)
    assert done is not None
    assert (done.state, done.outcomes) == ("done", {"failed": 1, "started": 1})
    items = await run_sync(stage.store.fetch_items, job.id)
    assert items[0].detail == "no worker was online to be told"
    with anyio.fail_after(10.0):
        while (await run_sync(lambda: stage.deps.audit.fetch(limit=2)))[0][1].ended is None:
            await anyio.sleep(0.05)
    refused, row = (await run_sync(lambda: stage.deps.audit.fetch(limit=2)))[0]
    assert (refused.outcome, row.outcome) == ("refused", "partly")
    assert row.answers["detail"] == "1 already started, 1 failed"


def test_a_job_that_a_stopping_server_leaves_is_interrupted(stage: Stage) -> None:
    job = stage.pin(*(str(n) for n in range(2_000)))

    async def serve() -> None:
        assert await stage.jobs.begin(job, ANN, terminate=False, signal="")
        with anyio.fail_after(20.0):
            while not (await run_sync(lambda: stage.store.fetch_items(job.id, outcome="sent", limit=1))):
                await anyio.sleep(0.02)

    # ends as a server's loop does: what is under way is cancelled
    asyncio.run(serve())
    stage.jobs.stop()
    left = stage.store.fetch(job.id)
    assert left is not None
    assert (left.state, sum(left.outcomes.values())) == ("interrupted", 2_000)
    assert set(left.outcomes) == {"failed", "not_sent"}
    (row,), _ = stage.deps.audit.fetch(limit=1)
    assert row.outcome == "unknown"
    assert "the server ended in the middle of it" in row.answers["detail"]
