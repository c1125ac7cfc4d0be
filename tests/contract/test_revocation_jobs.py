"""Bulk revocations in `control.sqlite3`: what was pinned stays as it is, and what a killed server left is told."""

from pathlib import Path

import pytest

from umbel.control.revocation import INTERRUPTED
from umbel.store.audit import LONGEST_WAIT, Asker
from umbel.store.control_file import FILE_NAME, ControlFile
from umbel.store.revocation_jobs import KEEP_JOBS, KEEP_PREVIEWS, Change, JobStore, Pinned

ANN = Asker("ann", "basic", "10.0.0.7")
TASKS = [Pinned(f"t{n}", "shop.order", "PENDING", None) for n in range(5)]


class Stage:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.time = 1000.0

    def store(self, server: int | None = None, broker: str = "b") -> JobStore:
        return JobStore(ControlFile(self.path), broker, now=lambda: self.time, server=server)

    def begun(self, store: JobStore) -> int:
        job = store.create(ANN, {"name": "shop.order"}, TASKS, {"SUCCESS": 7}, "waiting")
        assert store.begin(job, command=4, terminate=True, signal="SIGKILL")
        return job


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / FILE_NAME)


def test_a_job_is_kept_from_its_preview_to_its_end(stage: Stage) -> None:
    store = stage.store()
    tasks = [*TASKS, Pinned("\ud800", None, None, None)]
    number = store.create(ANN, {"search": "\udfff"}, tasks, {"SUCCESS": 7}, "waiting")
    job = store.fetch(number)
    assert job is not None
    assert (job.state, job.total, job.who, job.address) == ("preview", 6, "ann", "10.0.0.7")
    assert (job.states, job.left_out, job.outcomes) == ({"PENDING": 5, "": 1}, {"SUCCESS": 7}, {"waiting": 6})
    assert store.fetch_page(limit=9) == []
    assert store.begin(number, command=4, terminate=True, signal="SIGKILL")
    assert not store.begin(number, command=5, terminate=False, signal="")
    store.change(number, [Change(0, "revoked"), Change(1, "failed", "silent: w2")])
    store.change(number, [])
    store.end(number, "stopped", silent=["w2"], detail="why")
    job = stage.store().fetch(number)
    assert job is not None
    assert (job.state, job.command, job.terminate, job.signal) == ("stopped", 4, True, "SIGKILL")
    assert (job.silent, job.detail) == (["w2"], "why")
    assert job.outcomes == {"revoked": 1, "failed": 1, "waiting": 4}
    items = store.fetch_items(number)
    assert [item.uuid for item in items] == ["t0", "t1", "t2", "t3", "t4", "\\ud800"]
    assert (items[1].outcome, items[1].detail) == ("failed", "silent: w2")
    assert [item.n for item in store.fetch_items(number, outcome="waiting", start=3, limit=2)] == [3, 4]
    assert [job.id for job in store.fetch_page(limit=9)] == [number]
    assert store.fetch_page(limit=9, before=number) == []
    # another broker's server with the same file sees none of it
    other = stage.store(broker="other")
    assert (other.fetch(number), other.fetch_page(limit=9), other.fetch_recent(0.0)) == (None, [], 0)
    assert (store.fetch_recent(0.0), store.fetch_recent(stage.time + 1)) == (6, 0)


def test_what_a_killed_server_left_is_told_and_a_living_ones_is_not(stage: Stage) -> None:
    with ControlFile(stage.path).slot() as living:
        with ControlFile(stage.path).slot() as killed:
            jobs = [stage.begun(stage.store(server)) for server in (living, killed, None)]
        killed_store = stage.store(killed)
        killed_store.change(jobs[1], [Change(0, "revoked"), Change(1, "sent"), Change(2, "sent")])
        with ControlFile(stage.path).slot() as again:
            assert again == killed
            store = stage.store(again)
            assert store.interrupt(INTERRUPTED) == [jobs[1]]
            assert store.interrupt(INTERRUPTED) == []
            job = store.fetch(jobs[1])
            assert job is not None
            assert (job.state, job.outcomes) == ("interrupted", {"revoked": 1, "failed": 2, "not_sent": 2})
            assert "before it was known" in store.fetch_items(job.id)[1].detail
            left = store.fetch(jobs[0])
            assert left is not None
            assert (left.state, left.outcomes) == ("running", {"waiting": 5})
            stage.time += LONGEST_WAIT + 1
            assert store.interrupt(INTERRUPTED) == [jobs[2]]


def test_old_previews_and_the_oldest_jobs_go_with_their_tasks(stage: Stage) -> None:
    store = stage.store()
    preview = store.create(ANN, {"ids": 5}, TASKS, {}, "waiting")
    oldest = stage.begun(store)
    store.end(oldest, "done")
    stage.time += KEEP_PREVIEWS + 1
    for _ in range(KEEP_JOBS):
        store.end(stage.begun(store), "done")
    store.create(ANN, {"ids": 5}, TASKS, {}, "waiting")
    assert (store.fetch(preview), store.fetch_items(preview)) == (None, [])
    assert (store.fetch(oldest), store.fetch_items(oldest)) == (None, [])
    assert len(store.fetch_page(limit=1000)) == KEEP_JOBS
