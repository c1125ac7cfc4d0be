"""What events tell of a worker, and the rule that says whether it is alive. Pure: no clock, no I/O.

`hear` takes one event into a worker's row; `judge` names its status from all evidence. Used by `ingest.workers`.
Times and labels are explained in `docs/explanation/worker-liveness.md`.
"""

import re

import msgspec

from umbel.model.event import Event
from umbel.model.task import RANKS
from umbel.model.worker import DEFAULT_FREQ, Worker, WorkerStatus

#: Seconds after its goodbye in which a worker's timer may still send a heartbeat (gevent); it stays stopped.
STRAGGLING = 3.0
#: Seconds of slack beside two heartbeats before a worker counts as silent.
MARGIN = 5.0
#: Seconds of silence allowed to a worker without regular heartbeats: it is called from CALL_AFTER on.
PATIENCE = 20.0
CALL_AFTER = 10.0
#: Seconds for which the broker's or an inspect reply's word counts.
EVIDENCE_COUNTS = 20.0
#: Seconds of silence after which a worker without any other evidence is lost.
LOST_AFTER = 25.0
#: Seconds of silence explained by a running task where the broker cannot say whether the worker is there, or by the
#: broker's word where no running task is known: on Redis that word is a count, which a stranger may have added to.
BUSY_LIMIT = 900.0

#: Heartbeats further apart than so many of their intervals say nothing of events between them: we may have been away.
UNHEARD_SILENCE = 3.0

#: Clients (`gen123@host`) and beat send events too, but are no workers.
_NOT_WORKERS = re.compile(r"gen\d+@|celerybeat@")
_HEARTBEATS_KEPT = 4


class Evidence(msgspec.Struct, frozen=True):
    """What is known of a silent worker beside its row."""

    #: The broker said, after the worker was last heard, that its control subscription is gone.
    absent: bool = False
    #: The store holds a STARTED task of its present run.
    busy: bool = False


def may_be_worker(hostname: str) -> bool:
    """Whether this is not the name of a client or of a scheduler."""
    return _NOT_WORKERS.match(hostname) is None


def tells_run(event: Event) -> bool:
    """Whether the event's pid is that of the worker: custom task events come from its child processes."""
    return bool(event.pid) and (event.type[:7] == "worker-" or event.type[5:] in RANKS)


def hear(worker: Worker, event: Event) -> None:
    """Take one event into its sender's row, in place. Order does not matter beyond what the rows keep."""
    # a thousand workers beat 500 times a second: what is the same as before is not looked at
    if event.received_at > worker.heard:
        worker.heard = event.received_at
    worker.lost_at = None
    if event.clock > worker.clock:
        worker.clock = event.clock
    if event.pid != worker.pid and tells_run(event):
        if worker.pid and event.timestamp < worker.run_started:
            return  # a late word of an earlier run
        _begin_run(worker, event)
    if event.type[:7] == "worker-":
        _hear_worker(worker, event)
    else:
        worker.told_task, worker.unheard, worker.unheard_since = True, 0, 0.0


def _count_unheard(worker: Worker, event: Event) -> None:
    """Add the tasks that this heartbeat counts and that no event told of; not after a silence, which may be ours."""
    before, now, beats = worker.processed, event.processed, worker.heartbeats
    told, worker.told_task = worker.told_task, False
    if before is None or now is None or now <= before or told or not beats:
        return
    if event.received_at - beats[-1] > UNHEARD_SILENCE * (worker.freq or DEFAULT_FREQ):
        return
    worker.unheard += now - before
    worker.unheard_since = worker.unheard_since or event.received_at


def _begin_run(worker: Worker, event: Event) -> None:
    worker.pid = event.pid
    worker.run_started = event.timestamp
    worker.runs += 1
    worker.clock = event.clock
    worker.heartbeats = []
    worker.freq = worker.active = worker.processed = worker.loadavg = worker.stopped_at = None
    worker.told_task, worker.unheard, worker.unheard_since = False, 0, 0.0


def _hear_worker(worker: Worker, event: Event) -> None:
    if event.type == "worker-offline":
        worker.stopped_at = event.timestamp
        worker.heartbeats = []
        _take_figures(worker, event)
        worker.active = 0
        return
    if event.type not in ("worker-heartbeat", "worker-online"):
        return
    if worker.stopped_at is not None:
        straggles = event.type == "worker-heartbeat" and event.timestamp <= worker.stopped_at + STRAGGLING
        if straggles or event.timestamp <= worker.stopped_at:
            return
        worker.stopped_at = None
    if event.type == "worker-heartbeat":
        _count_unheard(worker, event)
    worker.heartbeats = [*worker.heartbeats, event.received_at][-_HEARTBEATS_KEPT:]
    _take_figures(worker, event)
    if event.active is not None and event.freq and event.freq > 0:
        # the answer to a roll call carries no `active`, and a fixed freq that means nothing
        worker.freq = event.freq


def _take_figures(worker: Worker, event: Event) -> None:
    """What a worker tells of itself: at its start, in each heartbeat and with its last word."""
    if event.active is not None:
        worker.active = event.active
    if event.processed is not None:
        worker.processed = event.processed
    if event.loadavg is not None:
        worker.loadavg = event.loadavg
    if event.sw_ident is not None:
        worker.sw_ident = event.sw_ident
    if event.sw_ver is not None:
        worker.sw_ver = event.sw_ver
    if event.sw_sys is not None:
        worker.sw_sys = event.sw_sys


def patience(worker: Worker) -> float:
    """Seconds of silence that are normal for this worker."""
    return PATIENCE if worker.freq is None else max(2 * worker.freq + MARGIN, MARGIN)


def silence(worker: Worker, *, now: float, connected_at: float) -> float:
    """Seconds since the worker could have been heard and was not."""
    return now - max(worker.heard, connected_at)


def steady_until(worker: Worker, *, connected_at: float | None, grace: float) -> float:
    """Until when nothing that is asked about this worker can be answered otherwise than now unless something is heard
    of it, epoch seconds; a time in the past: it may be at any moment."""
    ended = worker.stopped_at is not None
    if ended or (worker.lost_at is not None and connected_at is None):
        return last_sign(worker) + grace
    if connected_at is None:
        return float("inf")
    if worker.lost_at is not None or worker.status is not WorkerStatus.ONLINE or worker.heard < connected_at:
        return 0.0
    limits = [worker.heard + (CALL_AFTER if worker.freq is None else patience(worker))]
    if worker.freq is not None and worker.heartbeats:
        limits.append(worker.heartbeats[-1] + beat_patience(worker.freq))
    return min(limits)


def set_back(worker: Worker, now: float) -> None:
    """Our clock was set back to `now`: what was heard ahead of it counts as heard now."""
    worker.heard = min(worker.heard, now)
    worker.heartbeats = [min(beat, now) for beat in worker.heartbeats]
    worker.unheard_since = min(worker.unheard_since, now)
    if worker.evidence is not None:
        worker.evidence = min(worker.evidence, now)
    if worker.lost_at is not None:
        worker.lost_at = min(worker.lost_at, now)


def last_sign(worker: Worker) -> float:
    """When a worker that has ended was last known, or judged, to be anything else."""
    return max(worker.heard, worker.lost_at or 0.0, worker.evidence or 0.0)


def beat_patience(freq: float) -> float:
    """Seconds without a heartbeat, while other events come, after which a worker with this `freq` has lost its beat."""
    return 3 * freq + MARGIN


def judge(worker: Worker, evidence: Evidence, *, now: float, connected_at: float | None) -> WorkerStatus:
    """The worker's status. `connected_at` is None while we ourselves hear nothing."""
    if worker.stopped_at is not None:
        return WorkerStatus.STOPPED
    if worker.lost_at is not None:
        return WorkerStatus.LOST
    if connected_at is None:
        return WorkerStatus.UNKNOWN
    silent = silence(worker, now=now, connected_at=connected_at)
    if silent <= patience(worker):
        # after a (re)connection nobody has been heard yet
        return WorkerStatus.ONLINE if worker.heard >= connected_at or silent <= 0 else _unheard(worker, now)
    if evidence.absent:
        return WorkerStatus.LOST
    seen = worker.evidence is not None and now - worker.evidence <= EVIDENCE_COUNTS
    if seen and (evidence.busy or silent <= BUSY_LIMIT or not worker.heard):
        return WorkerStatus.BUSY_SILENT
    if evidence.busy and silent <= BUSY_LIMIT:
        return WorkerStatus.BUSY_SILENT
    if silent > max(LOST_AFTER, patience(worker)):
        return WorkerStatus.LOST
    # longer silent than normal, and nobody has been asked yet
    if worker.status is WorkerStatus.BUSY_SILENT:
        return worker.status
    return WorkerStatus.ONLINE if worker.heard >= connected_at else WorkerStatus.UNKNOWN


def _unheard(worker: Worker, now: float) -> WorkerStatus:
    if now - worker.heard <= patience(worker):
        return WorkerStatus.ONLINE
    if worker.evidence is not None and now - worker.evidence <= EVIDENCE_COUNTS:
        return WorkerStatus.BUSY_SILENT
    return WorkerStatus.UNKNOWN
