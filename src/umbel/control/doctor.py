"""What is wrong with a cluster, or with how it is watched, and what to do about it: rules over facts. Pure.

`control.examine` gathers the facts; `umbel doctor` and `/api/v1/findings` show what is found.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal

import msgspec

from umbel.control.roster import is_alive
from umbel.model.stall import Stall
from umbel.model.worker import Worker

#: Seconds that tasks may be ahead of their events: a worker gathers events for a moment.
UNHEARD_FOR = 5.0
#: Seconds that a worker's clock may be off.
MOST_SKEW = 30.0
#: Names in a sentence; the others are counted.
_NAMED = 3

Severity = Literal["error", "warning", "info"]
_ORDER: tuple[Severity, ...] = ("error", "warning", "info")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as it should be."""

    #: Short and stable, such as "events-off".
    code: str
    #: "error": nothing can be shown; "warning": what is shown is not the whole truth; "info": something is missing.
    severity: Severity
    title: str
    #: What it was seen by.
    evidence: str
    #: What to do.
    fix: str
    #: The workers that it is about; empty where it is about all, or none.
    workers: list[str] = []


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when somebody asks. Times are epoch seconds UTC."""

    now: float
    #: Without its password.
    broker: str
    #: Celery's `event_exchange` as we listen on it.
    event_exchange: str
    #: Why the broker could not be asked; "" when it answered, or was not asked.
    broker_error: str = ""
    #: Why no events can come over this broker; "" when they can.
    transport_error: str = ""
    #: Another monitor writes the history that we show.
    is_standby: bool = False
    workers: Collection[Worker] = ()
    #: Worker -> the settings that it changed, as it answered `inspect conf`.
    confs: Mapping[str, Mapping[str, Any]] = {}
    #: Event type -> how many were ever counted; None where no history was read.
    counted: Mapping[str, int] | None = None
    #: The application has a result backend; None where there is no application.
    has_backend: bool | None = None
    #: Where else on this Redis Celery's bindings lie, such as "database 1" or "database 0 under the prefix 'a:'".
    other_places: Collection[str] = ()
    #: Where we look; "" where the broker has no such places.
    place: str = ""
    #: Workers that take no tasks though they could, as far as somebody samples the queues.
    stalls: Collection[Stall] = ()
    #: Flower is installed in our environment.
    flower_beside: bool = False


def examine(facts: Facts) -> list[Finding]:
    """What is found, the worst first."""
    findings = [finding for rule in _RULES for finding in rule(facts)]
    return sorted(findings, key=lambda finding: _ORDER.index(finding.severity))


def report(findings: Collection[Finding], *, workers: int) -> Iterable[str]:
    """What `umbel doctor` prints, line by line."""
    for finding in findings:
        yield f"{finding.severity.upper()}  {finding.title}  [{finding.code}]"
        yield f"    seen by: {finding.evidence}"
        yield f"    do this: {finding.fix}"
        yield ""
    answered = "1 worker" if workers == 1 else f"{workers} workers"
    found = "nothing is wrong" if not findings else f"{len(findings)} found"
    yield f"{answered} answered; {found}."


def _broker(facts: Facts) -> Iterable[Finding]:
    if facts.broker_error:
        yield Finding(
            code="broker-unreachable",
            severity="error",
            title=f"The broker {facts.broker} cannot be reached.",
            evidence=facts.broker_error,
            fix="Check that it runs, that --broker or -A names it and its password, and that no firewall is between.",
        )
    if facts.transport_error:
        yield Finding(
            code="no-events",
            severity="error",
            title="No events can come over this broker.",
            evidence=facts.transport_error,
            fix="Workers can be watched over Redis, Valkey or RabbitMQ only.",
        )


def _elsewhere(facts: Facts) -> Iterable[Finding]:
    if facts.other_places and not facts.confs and not any(is_alive(worker) for worker in facts.workers):
        yield Finding(
            code="wrong-prefix",
            severity="error",
            title="No worker is seen here, but there is a cluster elsewhere on this Redis.",
            evidence=f"Celery's bindings lie in {_listed(facts.other_places)}; we look in {facts.place}.",
            fix="Name the database at the end of the broker's URL (redis://host/1), and a prefix as `global_keyprefix` "
            "in --broker_transport_options.",
        )


def _exchange(facts: Facts) -> Iterable[Finding]:
    others: dict[str, list[str]] = {}
    for hostname, conf in facts.confs.items():
        exchange = str(conf.get("event_exchange") or "celeryev")
        if exchange != facts.event_exchange:
            others.setdefault(exchange, []).append(hostname)
    for exchange, hostnames in others.items():
        yield Finding(
            code="wrong-exchange",
            severity="error",
            title=f"{_listed(hostnames)} {_verb(hostnames, 'sends', 'send')} events where we do not listen.",
            evidence=f"Their `event_exchange` is {exchange!r}, ours is {facts.event_exchange!r}.",
            fix=f"Start Umbel with --event_exchange={exchange}, or with -A and their application.",
            workers=hostnames,
        )


def _events(facts: Facts) -> Iterable[Finding]:
    silent = [
        worker
        for worker in facts.workers
        if is_alive(worker) and worker.unheard and facts.now - worker.unheard_since > UNHEARD_FOR
    ]
    if silent:
        names = [worker.hostname for worker in silent]
        tasks = sum(worker.unheard for worker in silent)
        yield Finding(
            code="events-off",
            severity="warning",
            title=f"{_listed(names)} {_verb(names, 'runs', 'run')} tasks without sending events of them.",
            evidence=f"Their heartbeats count {tasks} more tasks since {_verb(names, 'it', 'they')} last told of one.",
            fix="Start workers with -E, or set `worker_send_task_events = True`. With --enable_events (the default) "
            "Umbel asks them to, but a worker that was started again must be asked again.",
            workers=names,
        )


def _stalled(facts: Facts) -> Iterable[Finding]:
    if facts.stalls:
        names = [stall.worker for stall in facts.stalls]
        told = [f"{stall.worker}: {stall.evidence}" for stall in facts.stalls]
        yield Finding(
            code="worker-stalled",
            severity="warning",
            title=f"{_listed(names)} {_verb(names, 'lives but takes', 'live but take')} no tasks.",
            evidence=" ".join(told[:_NAMED])
            + (f" So do {len(told) - _NAMED} more." if told[_NAMED:] else ""),
            fix="Look into the worker's log for a lost connection or consumer, and restart it, unless it is ending and "
            "waits for its last tasks. If it comes again, let the connection notice cuts: `socket_keepalive` and "
            "`health_check_interval` in `broker_transport_options` on Redis, `broker_heartbeat` on RabbitMQ.",
            workers=names,
        )


def _sent(facts: Facts) -> Iterable[Finding]:
    counted = facts.counted
    if counted and counted.get("task-received") and not counted.get("task-sent"):
        yield Finding(
            code="sent-events-off",
            severity="info",
            title="Nobody says when tasks are sent.",
            evidence=f"{counted['task-received']:,} tasks were received, and no task-sent event ever came.",
            fix="Set `task_send_sent_event = True` in the application that sends tasks: then waiting tasks, their "
            "queues and how long they wait are known.",
        )


def _results(facts: Facts) -> Iterable[Finding]:
    # of the application only: a worker does not tell of a backend that its environment names
    if facts.has_backend is False:
        yield Finding(
            code="no-result-backend",
            severity="info",
            title="There is no result backend.",
            evidence="`result_backend` is not set in the application.",
            fix="Set `result_backend` where results are wanted; states, times and what tasks printed come from events "
            "and need none.",
        )


def _clocks(facts: Facts) -> Iterable[Finding]:
    off = {
        worker.hostname: worker.skew
        for worker in facts.workers
        if is_alive(worker) and worker.skew is not None and abs(worker.skew) > MOST_SKEW
    }
    if off:
        told = [f"{hostname} by {skew:+.0f} s" for hostname, skew in off.items()]
        yield Finding(
            code="clock-skew",
            severity="warning",
            title=f"The {_verb(told, 'clock', 'clocks')} of {_listed(list(off))} {_verb(told, 'is', 'are')} wrong.",
            evidence=f"Compared with ours: {_listed(told)}.",
            fix="Run a time service (chrony, systemd-timesyncd) there, or here if all of them differ alike.",
            workers=list(off),
        )


def _company(facts: Facts) -> Iterable[Finding]:
    if facts.is_standby:
        yield Finding(
            code="two-monitors",
            severity="warning",
            title="Another monitor writes this history; this one only serves from it.",
            evidence="The history's lock is held by another process.",
            fix="That is meant for a standby. Otherwise give each monitor a file of its own with --db.",
        )
    if facts.flower_beside:
        yield Finding(
            code="flower-beside",
            severity="warning",
            title="Flower is installed beside Umbel.",
            evidence="Both offer the command `celery flower`, and which of them answers is a matter of luck.",
            fix="Use `celery umbel`, or `pip uninstall flower`.",
        )


_RULES: tuple[Callable[[Facts], Iterable[Finding]], ...] = (
    _broker, _elsewhere, _exchange, _events, _stalled, _sent, _results, _clocks, _company,
)  # fmt: skip


def _listed(names: Collection[str]) -> str:
    """The first names, and how many more there are."""
    first = list(names)[:_NAMED]
    more = len(names) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")


def _verb(names: Collection[str], one: str, many: str) -> str:
    return one if len(names) == 1 else many
