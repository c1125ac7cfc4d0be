"""Each rule of the doctor finds what it is for, names the fix, and is silent otherwise."""

from typing import Any

import pytest
from celery import Celery

from umbel.control.doctor import Facts, Finding, examine, report
from umbel.control.examine import gather
from umbel.model.event import Event
from umbel.model.liveness import hear
from umbel.model.stall import Stall
from umbel.model.worker import Worker, WorkerStatus
from umbel.store.status import CollectorStatus

NOW = 1_780_000_000.0


def facts(**known: Any) -> Facts:
    return Facts(now=NOW, broker="redis://host/0", event_exchange="celeryev", **known)


def alive(hostname: str = "celery@a", **known: Any) -> Worker:
    return Worker(hostname=hostname, status=WorkerStatus.ONLINE, **known)


def found(**known: Any) -> list[str]:
    return [finding.code for finding in examine(facts(**known))]


def test_a_sound_cluster_has_no_findings() -> None:
    sound = facts(
        workers=[alive(skew=0.2)], confs={"celery@a": {"result_backend": "redis://"}}, has_backend=True,
        counted={"task-received": 9, "task-sent": 9}, place="database 0",
    )  # fmt: skip
    assert examine(sound) == []
    assert list(report([], workers=1)) == ["1 worker answered; nothing is wrong."]


@pytest.mark.parametrize(
    ("code", "known"),
    [
        ("broker-unreachable", {"broker_error": "ConnectionError: refused"}),
        ("no-events", {"transport_error": "sqs cannot broadcast"}),
        ("wrong-prefix", {"other_places": ["database 1"], "place": "database 0"}),
        ("wrong-exchange", {"confs": {"celery@a": {"event_exchange": "ev", "result_backend": "x"}}}),
        ("events-off", {"workers": [alive(unheard=3, unheard_since=NOW - 6)]}),
        ("sent-events-off", {"counted": {"task-received": 1}}),
        ("no-result-backend", {"has_backend": False}),
        ("clock-skew", {"workers": [alive(skew=-31.0)]}),
        (
            "worker-stalled",
            {"stalls": [Stall(worker="celery@a", queue="q", since=NOW - 70, evidence="It started none.")]},
        ),
        ("two-monitors", {"is_standby": True}),
        ("flower-beside", {"flower_beside": True}),
    ],
)
def test_what_is_wrong_is_found(code: str, known: dict[str, Any]) -> None:
    assert found(**known) == [code]
    finding = examine(facts(**known))[0]
    assert finding.title.endswith(".") and finding.fix.endswith(".") and finding.evidence


@pytest.mark.parametrize(
    "known",
    [
        {"workers": [alive(unheard=3, unheard_since=NOW - 1)]},
        {"workers": [Worker(hostname="celery@a", status=WorkerStatus.LOST, skew=99.0, unheard=3)]},
        {"counted": {"worker-heartbeat": 5}},
        {"other_places": ["database 1"], "workers": [alive()]},
        {"has_backend": True},
        {"confs": {"celery@a": {}}},
    ],
)
def test_what_may_well_be_right_is_not_found(known: dict[str, Any]) -> None:
    assert found(**known) == []


@pytest.mark.parametrize(
    ("age", "state", "own", "counted"),
    [
        (3.0, "connected", None, 1),
        (30.0, "connected", None, 0),
        (3.0, "stopped", None, 0),
        # our own sampler knows better
        (3.0, "connected", [], 0),
    ],
)
def test_stalls_that_a_collector_tells_count_while_it_runs(
    age: float, state: str, own: list[Stall] | None, counted: int
) -> None:
    stall = Stall(worker="celery@a", queue="q", since=NOW - 70, evidence="It started none.")
    status = CollectorStatus(pid=1, time=NOW - age, started=0.0, state=state, stalls=[stall])
    app = Celery(broker="memory://", set_as_current=False)
    known = gather(app, now=NOW, reader=None, status=status, confs={}, stalls=own)
    assert len(known.stalls) == counted


def test_the_worst_comes_first_and_many_names_are_counted() -> None:
    workers = [alive(f"celery@{n}", skew=60.0) for n in range(5)]
    findings = examine(facts(workers=workers, broker_error="refused", has_backend=False))
    assert [finding.severity for finding in findings] == ["error", "warning", "info"]
    assert "celery@0, celery@1, celery@2 and 2 more" in findings[1].title
    assert findings[1].workers == [worker.hostname for worker in workers]


def test_the_report_says_what_how_it_was_seen_and_what_to_do() -> None:
    lines = list(report([Finding(code="c", severity="error", title="T.", evidence="E", fix="F.")], workers=0))
    assert lines == [
        "ERROR  T.  [c]",
        "    seen by: E",
        "    do this: F.",
        "",
        "0 workers answered; 1 found.",
    ]


def beat(at: float, processed: int) -> Event:
    return Event(
        type="worker-heartbeat", hostname="celery@a", timestamp=at, pid=7, freq=2.0, active=0,
        processed=processed, received_at=at,
    )  # fmt: skip


def told(at: float) -> Event:
    return Event(type="task-started", hostname="celery@a", timestamp=at, pid=7, uuid="t", received_at=at)


@pytest.mark.parametrize(
    ("events", "unheard"),
    [
        ([beat(NOW, 5), beat(NOW + 2, 8)], 3),
        ([beat(NOW, 5), beat(NOW + 2, 8), beat(NOW + 4, 8), beat(NOW + 6, 9)], 4),
        ([beat(NOW, 5), told(NOW + 1), beat(NOW + 2, 8)], 0),
        # the heartbeat overtook the events that its worker had gathered
        ([beat(NOW, 5), beat(NOW + 2, 6), told(NOW + 2.1)], 0),
        # we may have been away
        ([beat(NOW, 5), beat(NOW + 60, 900)], 0),
        ([beat(NOW, 5)], 0),
    ],
)
def test_tasks_that_only_heartbeats_count_are_unheard(events: list[Event], unheard: int) -> None:
    worker = Worker(hostname="celery@a")
    for event in events:
        hear(worker, event)
    assert worker.unheard == unheard
    assert bool(worker.unheard_since) == bool(unheard)
