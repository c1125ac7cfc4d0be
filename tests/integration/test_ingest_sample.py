"""A small run of the ingest benchmark, for correctness only: everything that was sent is stored and counted."""

import time
from itertools import islice

import pytest

from benchmarks import run as run_module
from benchmarks.event_stream import EventStream
from benchmarks.run import BrokerKind, Run, Setting, finish_pacing
from benchmarks.subject import wait_until


@pytest.mark.timeout(120)
@pytest.mark.parametrize("broker", ["redis", pytest.param("rabbitmq", marks=pytest.mark.prove)])
def test_a_burst_is_stored_to_the_last_event_and_nothing_is_lost(broker: BrokerKind) -> None:
    with Run(Setting("umbel", broker=broker)) as run:
        for _ in range(2):
            measurement = run.take_burst(4_000)
            assert measurement.lost == 0
            assert measurement.events >= 4_000 * 0.98  # the rest are heartbeats


@pytest.mark.timeout(120)
def test_more_than_fits_on_its_way_is_sent_in_portions_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_module, "BURST", 4_000)
    monkeypatch.setattr(run_module, "PORTION", 1_000)
    with Run(Setting("umbel")) as run:
        measurement = run.take_burst(9_000)
        assert measurement.lost == 0
        assert measurement.events >= 9_000 * 0.98


@pytest.mark.timeout(120)
def test_a_paced_load_comes_from_its_own_process_and_is_counted_too() -> None:
    with Run(Setting("umbel", batch="single", default_limit=True)) as run:
        measurement = run.take_load(3_000, 1_000)
        assert measurement.lost == 0
        assert measurement.tasks == run.tasks > 600


@pytest.mark.timeout(120)
def test_a_bound_of_tasks_holds_while_events_come_and_none_is_lost() -> None:
    with Run(Setting("umbel", options=("--max_tasks=500",))) as run:
        _, path = run.spool(24_000, 2_000)
        pacer = run.start_pacing(path, 2_000)
        lags = []
        while pacer.poll() is None:
            lags.append(run.subject.fetch_gauge("umbel_ingest_lag_seconds") or 0.0)
            time.sleep(0.2)
        finish_pacing(pacer)
        # each run of retention, every 10 s, takes some thousand of them
        wait_until(lambda: run.subject.count_tasks() == 500, 30.0, "the bound")
        assert run.tasks > 5_000
        assert run.count_lost_events() == 0
        assert max(lags) < 5.0


def test_the_stream_depends_on_its_seed_only_and_has_every_kind_of_event() -> None:
    streams = [list(islice(EventStream(1e9, seed=seed), 6_000)) for seed in (1, 1, 2)]
    assert streams[0] == streams[1] != streams[2]
    events = [event for message in streams[0] for event in message.events]
    kinds = {event["type"] for event in events}
    assert kinds == {
        *("worker-heartbeat", "task-sent", "task-received", "task-started"),
        *("task-succeeded", "task-failed", "task-retried"),
    }
    assert [event["clock"] for event in events if event["hostname"] == "celery@worker-0003"] == sorted(
        event["clock"] for event in events if event["hostname"] == "celery@worker-0003"
    )
    sizes = {len(message.events) for message in streams[0] if message.routing_key == "task.multi"}
    assert sizes == {1, 2, 3}
