"""Proof: 10,000 waiting tasks revoked by a filter while workers run end in exactly one outcome each, and it is true."""

import math
from contextlib import ExitStack

import pytest

from tests.apps.tasks import make_app
from tests.prove.bulk_revoke import OPEN, Caller, Depot, Revoked, revoke_many
from tests.prove.figures import table
from tests.prove.stage import Broker
from tests.servers import CeleryWorker, UmbelServer, wait_for
from tests.servers.cluster import Pool

pytestmark = pytest.mark.prove

#: Some of them start before the preview.
TASKS = 10_500


@pytest.mark.timeout(900)
@pytest.mark.parametrize("newcomer", [False, True], ids=["two workers", "a third joins"])
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_ten_thousand_waiting_tasks_are_revoked_while_workers_run(broker: Broker, newcomer: bool) -> None:
    with ExitStack() as stack:
        revoked = revoke_many(Depot(stack, broker), TASKS, newcomer=newcomer)
    show(broker, revoked)
    judge(revoked)
    assert revoked.previewed >= 10_000


@pytest.mark.timeout(300)
@pytest.mark.parametrize("pool", ["threads", "gevent", "solo"])
def test_pools_that_do_not_look_again_are_not_believed(pool: Pool) -> None:
    with ExitStack() as stack:
        revoked = revoke_many(Depot(stack, "redis", pool=pool), 400, newcomer=False)
    show(f"redis, {pool}", revoked)
    judge(revoked)


@pytest.mark.timeout(300)
def test_a_task_that_runs_without_events_is_not_called_revoked(redis_url: str) -> None:
    with ExitStack() as stack:
        umbel = stack.enter_context(
            UmbelServer(redis_url, environment=OPEN, arguments=["--enable_events=false"])
        )
        worker = stack.enter_context(CeleryWorker(redis_url, events=False))
        umbel.wait_until_collecting(60.0)
        worker.wait_until_answering()
        wait_for(lambda: umbel.get(f"/api/v1/workers/{worker.hostname}").status == 200, 30.0)
        app = make_app(redis_url)
        running, waiting = (str(app.send_task("tests.sleep", (600,)).id) for _ in range(2))
        asked = app.control.inspect([worker.hostname], timeout=5.0)
        wait_for(lambda: asked.active()[worker.hostname], 20.0)
        depot = Caller(umbel)
        job = depot.post("", {"ids": [running, waiting]})["id"]
        depot.post(f"/{job}/start", {"confirm": 2})
        wait_for(lambda: depot.get(f"revocation-jobs/{job}")["state"] == "done", 60.0)
        assert depot.fates(job) == {running: "started", waiting: "revoked"}


def show(where: str, revoked: Revoked) -> None:
    print(table(f"Bulk revocation on {where}", {
        "tasks sent": len(revoked.sent),
        "previewed (ended by then)": f"{revoked.previewed} ({revoked.left_out})",
        "states at the preview": revoked.preview_states,
        "outcomes": revoked.outcomes,
        "preview took, job took (s)": f"{revoked.preview_seconds:.2f}, {revoked.job_seconds:.1f}",
        "ran, by the ledger": len(revoked.ran),
    }))  # fmt: skip


def judge(revoked: Revoked) -> None:
    """The sums are right, the outcomes are those of the ledger, and nothing else was touched."""
    assert (revoked.state, revoked.silent) == ("done", [])
    # whatever had not started by then was previewed, and nothing else was
    missed = set(revoked.sent) - revoked.fates.keys()
    assert not [uuid for uuid in missed if revoked.ran.get(uuid, math.inf) > revoked.previewed_at]
    assert not revoked.fates.keys() - set(revoked.sent)
    # each in exactly one outcome; their sum is the preview
    assert set(revoked.outcomes) <= {"revoked", "started"}
    assert sum(revoked.outcomes.values()) == revoked.previewed == len(revoked.fates)
    # none that is called revoked was ever started, then or later, and each that is called started was
    assert not [uuid for uuid, fate in revoked.fates.items() if fate == "revoked" and uuid in revoked.ran]
    assert not [uuid for uuid, fate in revoked.fates.items() if fate == "started" and uuid not in revoked.ran]
    assert revoked.shown_revoked == revoked.outcomes["revoked"]
    # other tasks ran, and so did those of the same name that came after the preview
    assert not set(revoked.others) - revoked.ran.keys()
    assert not set(revoked.late) - revoked.ran.keys()
    assert revoked.audit["outcome"] == "confirmed"
    assert f"{revoked.outcomes['revoked']:,} revoked before start" in revoked.audit["detail"]
