"""Records to the wire types of `/api/v1`: pure functions, called by `api` and `stream`."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from umbel.control.roster import is_alive
from umbel.model.attempts import attempts
from umbel.model.event import REDACTED, REPAIRED, TRUNCATED
from umbel.model.rollup import Rollup, RollupKey
from umbel.model.task import SENT, Attempt, Mark, Task, TaskError
from umbel.model.worker import Worker, WorkerStatus
from umbel.store.base import Facet, Gap, TaskDetail
from umbel.web import schema

_COUNTED = ("started", "succeeded", "failed", "retried", "revoked")
_NOTES: tuple[tuple[int, Literal["repaired", "redacted", "truncated"]], ...] = (
    (REPAIRED, "repaired"),
    (REDACTED, "redacted"),
    (TRUNCATED, "truncated"),
)


def task_out(task: Task) -> schema.TaskOut:
    """A task as listed."""
    return msgspec.convert(task, schema.TaskOut, from_attributes=True)


def task_detail_out(
    detail: TaskDetail, source_note: str = "", retry_of: str | None = None, retried_as: Sequence[str] = ()
) -> schema.TaskDetailOut:
    """Everything kept of one task, with its attempts; with a note it is not from events."""
    record = detail.record
    raised = {(error.time, error.rank): error for error in record.errors}
    base = msgspec.structs.asdict(task_out(detail.task))
    base["updated"] = base["updated"] or None
    return schema.TaskDetailOut(
        **base,
        source="result_backend" if source_note else "events",
        source_note=source_note,
        traceback=detail.task.traceback,
        first_seen=detail.task.first_seen or None,
        notes=[note for flag, note in _NOTES if detail.task.origin & flag],
        sent_marks=[_mark(mark) for mark in record.marks if mark.rank == SENT],
        retry_of=retry_of,
        retried_as=list(retried_as),
        timeline=[_attempt(attempt, raised) for attempt in attempts(record.marks)],
        children=detail.children,
    )


def _attempt(attempt: Attempt, raised: Mapping[tuple[float, int], TaskError]) -> schema.AttemptOut:
    found = [raised[mark.time, mark.rank] for mark in attempt.marks if (mark.time, mark.rank) in raised]
    error = found[-1] if found else TaskError(0.0, 0)
    return schema.AttemptOut(
        number=attempt.number,
        state=attempt.state,
        worker=attempt.worker,
        pid=attempt.pid,
        received=attempt.received,
        started=attempt.started,
        ended=attempt.ended,
        runtime=attempt.runtime,
        retries=attempt.retries,
        redelivered=attempt.redelivered,
        exception=error.exception or None,
        traceback=error.traceback or None,
        marks=[_mark(mark) for mark in attempt.marks],
    )


def _mark(mark: Mark) -> schema.MarkOut:
    return schema.MarkOut(
        time=mark.time,
        type=mark.type,
        hostname=mark.hostname,
        pid=mark.pid,
        clock=mark.clock,
    )


def worker_totals(items: list[schema.WorkerOut]) -> schema.WorkerTotals:
    """Sums over rows; an unknown number of active tasks adds nothing."""
    return schema.WorkerTotals(
        workers=len(items),
        online=sum(item.status in (WorkerStatus.ONLINE, WorkerStatus.BUSY_SILENT) for item in items),
        active=sum(item.active or 0 for item in items),
        processed=sum(item.processed for item in items),
        **{name: sum(getattr(item, name) for item in items) for name in _COUNTED},
    )


def worker_out(
    worker: Worker, counts: Mapping[str, int], running: int, stalled: str | None
) -> schema.WorkerOut:
    """One row. `counts` are totals by event type, `running` the tasks STARTED there, `stalled` a stall's evidence."""
    software = " ".join(part for part in (worker.sw_ident, worker.sw_ver, worker.sw_sys) if part)
    return schema.WorkerOut(
        hostname=worker.hostname,
        status=worker.status,
        status_reason=status_reason(worker),
        pid=worker.pid or None,
        active=_active(worker, running),
        processed=counts.get("task-received", 0),
        **{name: counts.get(f"task-{name}", 0) for name in _COUNTED},
        loadavg=worker.loadavg,
        freq=worker.freq,
        last_heartbeat=worker.heartbeats[-1] if worker.heartbeats else None,
        last_seen=max(worker.heard, worker.evidence or 0.0) or None,
        first_seen=worker.first_seen,
        run_started=worker.run_started or None,
        runs=worker.runs,
        software=software or None,
        skew=worker.skew,
        clock=worker.clock,
        stalled=stalled,
    )


def _active(worker: Worker, running: int) -> int | None:
    """The last heartbeat's word, else the rows STARTED; 0 when it stopped, unknown when it can't be seen."""
    if worker.status is WorkerStatus.STOPPED:
        return 0
    if not is_alive(worker):
        return None
    return running if worker.active is None else worker.active


def status_reason(worker: Worker) -> str:
    """One sentence that says why a worker has its status; it stays the same as long as the status does."""
    match worker.status:
        case WorkerStatus.ONLINE:
            return "Its heartbeats or events arrive."
        case WorkerStatus.BUSY_SILENT:
            return "No heartbeats arrive, but other signs show that it is there."
        case WorkerStatus.LOST:
            return f"No sign of life since {_clock(worker.heard)}, and it did not say goodbye."
        case WorkerStatus.STOPPED:
            return f"It said goodbye at {_clock(worker.stopped_at or worker.heard)}."
        case _:
            return "Nothing has been heard of it that would tell."


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def facet_counts(facets: Iterable[Facet], field: str) -> list[schema.FacetCount]:
    """Stored tasks by "state", "name" or "worker", the most frequent first."""
    totals: Counter[str] = Counter()
    for facet in facets:
        totals[getattr(facet, field)] += facet.count
    ranked = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return [schema.FacetCount(value=value, count=count) for value, count in ranked if count]


def rollup_out(key: RollupKey, rollup: Rollup) -> schema.RollupOut:
    """One time bucket with its percentiles."""
    counts, runtime, wait = rollup.counts, rollup.runtime, rollup.wait
    return schema.RollupOut(
        start=key.start,
        label=key.label,
        sent=counts.get("sent", 0),
        received=counts.get("received", 0),
        rejected=counts.get("rejected", 0),
        **{name: counts.get(name, 0) for name in _COUNTED},
        runtime_count=runtime.count,
        runtime_sum=runtime.sum,
        runtime_p50=runtime.quantile(0.5),
        runtime_p95=runtime.quantile(0.95),
        runtime_p99=runtime.quantile(0.99),
        wait_p50=wait.quantile(0.5),
        wait_p95=wait.quantile(0.95),
    )


def gap_out(gap: Gap) -> schema.GapOut:
    """An interval in which events may have been missed."""
    return msgspec.convert(gap, schema.GapOut, from_attributes=True)
