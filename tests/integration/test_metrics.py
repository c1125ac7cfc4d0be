"""`/metrics` over a real history: Flower's families with its names, labels and rules, and our own."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.told_history import W1, W2, ToldHistory, told_history
from tests.integration.web_server import WebServer, make_deps, serving

BASE = 1_700_000_000.0


@pytest.fixture
def history(tmp_path: Path) -> Iterator[ToldHistory]:
    with told_history(tmp_path) as told:
        told.tell_worker(W1)
        told.tell_worker(W2)
        yield told


@pytest.fixture
def web(history: ToldHistory, tmp_path: Path) -> Iterator[WebServer]:
    with serving(make_deps(history.reader, tmp_path)) as server:
        yield server


def samples(web: WebServer) -> dict[tuple[str, ...], float]:
    """(name, label values in the order of label names) -> value."""
    found = {}
    for family in text_string_to_metric_families(web.get("/metrics").text):
        for sample in family.samples:
            found[(sample.name, *(value for _, value in sorted(sample.labels.items())))] = sample.value
    return found


def test_events_are_counted_by_sender_type_and_task(web: WebServer, history: ToldHistory) -> None:
    history.tell_task("t1", at=BASE)
    history.tell_task("t2", at=BASE, end="failed")
    found = samples(web)
    assert found["flower_events_total", "shop.order", "task-received", W1] == 2
    assert found["flower_events_total", "shop.order", "task-sent", "gen9@test"] == 2
    assert found["flower_events_total", "shop.order", "task-failed", W1] == 1
    assert not any("worker-heartbeat" in key for key in found)


def test_run_times_fill_cumulative_buckets(web: WebServer, history: ToldHistory) -> None:
    history.tell_task("t1", at=BASE)
    found = samples(web)
    buckets = {
        key[1]: value for key, value in found.items() if key[0] == "flower_task_runtime_seconds_bucket"
    }
    assert buckets == {"0.1": 0, "1.0": 1, "10.0": 1, "+Inf": 1}
    assert found["flower_task_runtime_seconds_count", "shop.order", W1] == 1
    assert found["flower_task_runtime_seconds_sum", "shop.order", W1] == 0.25


def test_created_series_tell_since_when_totals_count(web: WebServer, history: ToldHistory) -> None:
    history.tell_task("t1", at=BASE)
    found = samples(web)
    began = found["flower_events_created", "shop.order", "task-received", W1]
    assert time.time() - 60 < began <= time.time()
    assert found["flower_task_runtime_seconds_created", "shop.order", W1] == began


def test_prefetched_is_what_was_received_and_not_started(web: WebServer, history: ToldHistory) -> None:
    history.tell_task("t1", at=BASE, end="received")
    assert samples(web)["flower_worker_prefetched_tasks", "shop.order", W1] == 1
    history.tell("task-started", "t1", timestamp=BASE + 3.25)
    found = samples(web)
    assert found["flower_worker_prefetched_tasks", "shop.order", W1] == 0
    assert found["flower_task_prefetch_time_seconds", "shop.order", W1] == pytest.approx(3.0)
    history.tell("task-succeeded", "t1", timestamp=BASE + 4, runtime=0.75)
    assert samples(web)["flower_task_prefetch_time_seconds", "shop.order", W1] == 0


def test_a_task_that_is_revoked_before_it_starts_is_not_prefetched_any_more(
    web: WebServer, history: ToldHistory
) -> None:
    history.tell_task("t1", at=BASE, end="received")
    history.tell("task-revoked", "t1", timestamp=BASE + 1, terminated=False, signum=None, expired=False)
    assert samples(web)["flower_worker_prefetched_tasks", "shop.order", W1] == 0


def test_a_stopped_worker_is_offline_and_executes_nothing(web: WebServer, history: ToldHistory) -> None:
    history.tell("worker-heartbeat", active=3, processed=9, freq=2.0)
    history.judge()
    found = samples(web)
    assert found["flower_worker_online", W1] == 1
    assert found["flower_worker_number_of_currently_executing_tasks", W1] == 3
    history.tell("worker-offline", freq=2.0)
    history.judge()
    found = samples(web)
    assert found["flower_worker_online", W1] == 0
    assert found["flower_worker_number_of_currently_executing_tasks", W1] == 0


def test_a_purged_workers_series_leave_and_clients_stay(history: ToldHistory, tmp_path: Path) -> None:
    history.tell_task("t1", at=BASE)
    history.tell("worker-offline", freq=2.0)
    history.judge()
    with serving(make_deps(history.reader, tmp_path, purge_offline_workers=0)) as server:
        found = samples(server)
        assert not any(W1 in key for key in found)
        assert found["flower_worker_online", W2] == 1
        assert found["flower_events_total", "shop.order", "task-sent", "gen9@test"] == 1
        rows = server.get("/workers?json=1").json()["data"]
        assert [row["hostname"] for row in rows] == [W2]
        assert server.get("/api/v1/workers").json()["totals"]["workers"] == 1


def test_the_format_is_flowers(web: WebServer, history: ToldHistory) -> None:
    history.tell_task("t1", at=BASE)
    answer = web.get("/metrics")
    assert answer.headers["content-type"] == "text/plain"
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", answer.text, re.MULTILINE))
    flowers = {
        "flower_events_total": "counter",
        "flower_events_created": "gauge",
        "flower_task_runtime_seconds": "histogram",
        "flower_task_runtime_seconds_created": "gauge",
        "flower_task_prefetch_time_seconds": "gauge",
        "flower_worker_prefetched_tasks": "gauge",
        "flower_worker_online": "gauge",
        "flower_worker_number_of_currently_executing_tasks": "gauge",
    }
    assert flowers.items() <= types.items()
    assert {"python_info", "python_gc_collections_total", "process_open_fds"} <= types.keys()
    assert f'{{task="shop.order",type="task-started",worker="{W1}"}} 1.0' in answer.text


def test_our_own_metrics_tell_of_our_health(web: WebServer, history: ToldHistory) -> None:
    found = samples(web)
    assert found["umbel_ready",] == 0
    assert ("umbel_events_total",) not in found
    history.tell_task("t1", at=BASE)
    history.tell_status(events=7, dropped={"overload": 2}, malformed={"json": 1}, buffered_bytes=10, lag=0.25)
    found = samples(web)
    assert found["umbel_ready",] == 1
    assert found["umbel_events_total",] == 7
    assert found["umbel_events_dropped_total", "overload"] == 2
    assert found["umbel_messages_malformed_total", "json"] == 1
    assert found["umbel_buffered_bytes",] == 10
    assert found["umbel_ingest_lag_seconds",] == 0.25
    assert found["umbel_store_tasks",] == 1
    assert found["umbel_store_bytes",] > 0


def test_how_far_back_the_history_goes_is_told(web: WebServer, history: ToldHistory) -> None:
    history.tell_task("t1", at=BASE)
    assert ("umbel_store_tasks_since_timestamp_seconds",) not in samples(web)
    assert web.get("/api/v1/status").json()["stored_since"] is None
    assert history.writer.prune(now=BASE + 31 * 86400).tasks == 1
    assert samples(web)["umbel_store_tasks_since_timestamp_seconds",] == BASE + 0.75
    assert web.get("/api/v1/status").json()["stored_since"] == BASE + 0.75


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"time": 1.0}, "has said nothing for"),
        ({"time": 4_000_000_000.0}, "from before this machine's clock was set back by"),
        ({"state": "connecting", "error": "refused"}, "The event source is connecting: refused."),
        ({"state": "blind"}, "The event source is blind."),
        ({"proof_at": None}, "not yet given any proof"),
        ({"proof_at": 1.0}, "last proof of life is"),
        ({"store_error": "disk full"}, "takes no writes: disk full"),
    ],
)
def test_readiness_says_why_not(
    web: WebServer, history: ToldHistory, fields: dict[str, object], reason: str
) -> None:
    history.tell_status()
    assert web.get("/health/ready").json() == {"ready": True, "reasons": []}
    history.tell_status(**fields)
    answer = web.get("/health/ready")
    assert answer.status == 503
    assert any(reason in text for text in answer.json()["reasons"])
    assert samples(web)["umbel_ready",] == 0


def test_liveness_and_flowers_healthcheck_do_not_depend_on_the_broker(web: WebServer) -> None:
    assert web.get("/health/live").status == 200
    answer = web.get("/healthcheck")
    assert (answer.status, answer.text, answer.headers["content-type"]) == (
        200,
        "OK",
        "text/html; charset=UTF-8",
    )


def test_what_a_former_collector_said_last_does_not_make_ready(history: ToldHistory, tmp_path: Path) -> None:
    history.tell_status()
    with serving(make_deps(history.reader, tmp_path, status=lambda: None)) as web:
        answer = web.get("/health/ready")
    assert (answer.status, answer.json()["ready"]) == (503, False)
