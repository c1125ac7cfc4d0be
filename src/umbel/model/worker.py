"""A worker as its events tell it, and the one rule that says whether it is alive."""

from enum import StrEnum

import msgspec

#: Seconds between heartbeats until a worker says otherwise (Celery's own default assumption).
DEFAULT_FREQ = 60.0


class WorkerStatus(StrEnum):
    """What can honestly be said about a worker. See `docs/explanation/worker-liveness.md`."""

    ONLINE = "online"
    #: No heartbeat, but other evidence (a running task, its control subscription) says it is there.
    BUSY_SILENT = "busy-silent"
    LOST = "lost"
    #: It said goodbye with worker-offline.
    STOPPED = "stopped"
    UNKNOWN = "unknown"


class Worker(msgspec.Struct, gc=False, kw_only=True):
    """What is kept of one worker name. Times are float epoch seconds UTC, `heard` times at this monitor."""

    hostname: str
    pid: int = 0
    #: Seconds between heartbeats, as last told; None until a heartbeat came.
    freq: float | None = None
    #: Tasks running now, as the last heartbeat told.
    active: int | None = None
    #: Tasks processed since the worker started, as the last heartbeat told.
    processed: int | None = None
    loadavg: list[float] | None = None
    sw_ident: str | None = None
    sw_ver: str | None = None
    sw_sys: str | None = None
    clock: int = 0
    first_seen: float = 0.0
    #: Receipt of the latest event of any kind.
    heard: float = 0.0
    #: Receipt times of the last four heartbeats, oldest first; cleared by worker-offline.
    heartbeats: list[float] = msgspec.field(default_factory=list)
    #: Time of the first event of the current run (pid).
    run_started: float = 0.0
    #: Runs seen under this name.
    runs: int = 0
    #: worker-offline was the last word of this run.
    stopped_at: float | None = None
    #: Last time other evidence (inspect reply, control subscription at the broker) showed it alive.
    evidence: float | None = None
    #: Set once the worker was judged lost; cleared by any later sign of life.
    lost_at: float | None = None
    #: The judgement as last made by the collector; readers show this one.
    status: WorkerStatus = WorkerStatus.UNKNOWN
    #: Seconds the worker's clock is ahead of ours, estimated from receipt times; None until known.
    skew: float | None = None
    #: It told of a task since its last heartbeat.
    told_task: bool = False
    #: Tasks that its heartbeats counted since it last told of one, and receipt of the first such heartbeat; 0 for none.
    unheard: int = 0
    unheard_since: float = 0.0
