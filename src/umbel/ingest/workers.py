"""The worker rows while events come in: heard, judged, lost, and gone from the list after their grace period.

Lives in the pipeline's thread; the rules are `model.liveness`. Changed rows are collected until a flush stored them.
"""

from collections import deque
from collections.abc import Collection, Iterable

import msgspec

from umbel.ingest.census import Census
from umbel.ingest.source import Presence
from umbel.model.event import Event
from umbel.model.liveness import (
    CALL_AFTER,
    MARGIN,
    Evidence,
    beat_patience,
    hear,
    judge,
    last_sign,
    may_be_worker,
    patience,
    set_back,
    silence,
    steady_until,
    tells_run,
)
from umbel.model.worker import Worker, WorkerStatus
from umbel.store.packed import PackedWorker, pack_worker

#: Seconds that a worker may have been heard ahead of now: more means that our clock was set back.
AHEAD = 1.0
_SKEW_SAMPLES = 16
_PIDS_KEPT = 4
_ALIVE = (WorkerStatus.ONLINE, WorkerStatus.BUSY_SILENT)


class EndedRun(msgspec.Struct, frozen=True):
    """A worker run that is over. Open tasks of it will not be heard of again."""

    hostname: str
    #: The pid that is alive under this name, whose tasks are not meant; 0: all tasks of this name.
    alive_pid: int
    #: Epoch seconds at this monitor.
    ended: float


class WorkerBook:
    """All worker rows by hostname. Times are epoch seconds at this monitor."""

    def __init__(self, rows: Iterable[Worker], *, grace: float, limit: int) -> None:
        self.rows = {worker.hostname: worker for worker in rows}
        self._grace = grace
        self._limit = limit
        self._changed: set[str] = set()
        self._removed: set[str] = set()
        self._skews: dict[str, deque[float]] = {}
        #: hostname -> the pids that spoke under this name, where there was more than one, the latest last: tells a
        #: restart from two workers of one name.
        self._pids: dict[str, dict[int, None]] = {}
        self._duplicates: set[str] = set()
        self._absent: dict[str, float] = {}
        self._census = Census()
        self._busy: set[str] = set()
        self._ended: dict[str, EndedRun] = {}
        #: hostname -> until when a row needs no look: 0.0 or nothing for now.
        self._steady: dict[str, float] = {}
        #: The rows to look at, None for all.
        self._looked_at: list[Worker] | None = None
        self._connected_at: float | None = None
        #: Until when no row needs a look unless something is heard, epoch seconds.
        self.steady_until = 0.0
        for worker in self.rows.values():
            if worker.status in (WorkerStatus.LOST, WorkerStatus.STOPPED) or worker.runs > 1:
                self._note_end(worker, worker.heard)

    def hear(self, event: Event) -> None:
        """Take a worker's event; events of clients are left out."""
        hostname = event.hostname
        worker = self.rows.get(hostname)
        if event.type == "task-sent" or (worker is None and not may_be_worker(hostname)):
            return
        if worker is None:
            worker = self.rows[hostname] = Worker(hostname=hostname, first_seen=event.received_at)
            self._removed.discard(hostname)
        pid, runs, freq = worker.pid, worker.runs, worker.freq
        if event.pid != pid and tells_run(event) and self._is_twin(worker, event):
            worker.heard = max(worker.heard, event.received_at)
        else:
            hear(worker, event)
        self._changed.add(hostname)
        if worker.status is not WorkerStatus.ONLINE or worker.freq != freq or worker.stopped_at is not None:
            self._steady[hostname] = 0.0
        if worker.runs != runs and pid:
            self._note_end(worker, event.received_at)
        elif worker.runs == runs and self._ended and worker.stopped_at is None:
            ended = self._ended.get(hostname)
            if ended is not None and ended.alive_pid == 0:
                del self._ended[hostname]
        if event.type == "worker-offline" and worker.stopped_at is not None:
            self._note_end(worker, event.received_at)
        if event.type == "worker-heartbeat":
            self._measure_skew(worker, event)

    def _is_twin(self, worker: Worker, event: Event) -> bool:
        """Whether a second live worker uses the same name: a pid that comes back, which is not the row's, was never
        gone."""
        if not worker.pid:
            return False
        pids = self._pids.setdefault(event.hostname, {})
        spoke_before = event.pid in pids
        for pid in (worker.pid, event.pid):
            pids.pop(pid, None)
            pids[pid] = None
        if len(pids) > _PIDS_KEPT:
            del pids[next(iter(pids))]
        if not spoke_before or event.timestamp < worker.run_started:
            return False
        self._duplicates.add(event.hostname)
        self._steady[event.hostname] = 0.0
        return True

    def _measure_skew(self, worker: Worker, event: Event) -> None:
        """The greatest lead of a sender's clock over our receipt comes nearest to its skew: delay only lowers it."""
        samples = self._skews.get(worker.hostname)
        if samples is None:
            samples = self._skews[worker.hostname] = deque(maxlen=_SKEW_SAMPLES)
        lead = event.timestamp - event.received_at
        # what an earlier run of ours stored is too old to count
        skew = worker.skew if samples else None
        stays = skew is not None and (len(samples) < _SKEW_SAMPLES or samples[0] < skew)
        samples.append(lead)
        if skew is None or not stays:
            worker.skew = max(samples)
        elif lead > skew:
            worker.skew = lead

    def _note_end(self, worker: Worker, now: float) -> None:
        alive = worker.stopped_at is None and worker.lost_at is None
        self._ended[worker.hostname] = EndedRun(worker.hostname, worker.pid if alive else 0, now)

    def take_evidence(self, hostnames: Collection[str], now: float) -> None:
        """These workers answered an inspect."""
        for hostname in hostnames:
            worker = self.rows.get(hostname)
            if worker is None:
                worker = self.rows[hostname] = Worker(hostname=hostname, first_seen=now)
                self._removed.discard(hostname)
            self._show_alive(worker, now)

    def take_presence(self, presence: Presence, asked: float) -> None:
        """What the broker said of silent workers at time `asked`."""
        if presence.reached is not None:
            self._census.add(presence.reached, presence.silent, asked=asked)
        for hostname in presence.present:
            worker = self.rows.get(hostname)
            if worker is not None and worker.stopped_at is None:
                self._show_alive(worker, asked)
        for hostname in presence.absent:
            self._absent[hostname] = asked
            self._steady[hostname] = 0.0

    def _show_alive(self, worker: Worker, now: float) -> None:
        worker.evidence = now
        worker.lost_at = None
        self._absent.pop(worker.hostname, None)
        self._steady[worker.hostname] = 0.0
        self._changed.add(worker.hostname)

    def set_busy(self, hostnames: Collection[str]) -> None:
        """The silent workers for which the store holds STARTED tasks."""
        self._busy = set(hostnames)

    def begin_look(self, *, now: float, connected_at: float | None) -> bool:
        """Leave out of all questions until `end_look` the rows of which nothing can be new; False when it is all."""
        for presence, asked in self._census.weigh(self.rows.values(), is_gone=self._is_absent):
            self.take_presence(presence, asked)
        if connected_at != self._connected_at:
            self._connected_at = connected_at
            self._steady.clear()
        for worker in self.rows.values():
            if last_sign(worker) > now + AHEAD:
                self._set_back(worker, now)
        steady = self._steady
        self._looked_at = [worker for name, worker in self.rows.items() if steady.get(name, 0.0) <= now]
        if self._looked_at or len(self.rows) > self._limit:
            return True
        self.steady_until = min(steady.values(), default=float("inf"))
        return False

    def _set_back(self, worker: Worker, now: float) -> None:
        """Our clock was set back since this worker was heard."""
        hostname = worker.hostname
        set_back(worker, now)
        self._absent.pop(hostname, None)
        self._steady[hostname] = 0.0
        self._changed.add(hostname)
        if hostname in self._ended:
            self._note_end(worker, now)

    def end_look(self) -> None:
        """Note until when the rows that were looked at need no look."""
        for worker in self._get_looked_at():
            absent = worker.lost_at is not None and self._is_absent(worker)
            self._steady[worker.hostname] = (
                last_sign(worker) + self._grace
                if absent
                else steady_until(worker, connected_at=self._connected_at, grace=self._grace)
            )
        self._looked_at = None
        self.steady_until = min(self._steady.values(), default=float("inf"))

    def _get_looked_at(self) -> Collection[Worker]:
        return self.rows.values() if self._looked_at is None else self._looked_at

    def judge_all(self, *, now: float, connected_at: float | None) -> None:
        """Give every row its status; let those go whose grace period is over, and the oldest beyond the limit."""
        for worker in self._get_looked_at():
            evidence = Evidence(absent=self._is_absent(worker), busy=worker.hostname in self._busy)
            status = judge(worker, evidence, now=now, connected_at=connected_at)
            if status is WorkerStatus.LOST and worker.lost_at is None:
                worker.lost_at = now
                self._note_end(worker, now)
            if status is not worker.status:
                worker.status = status
                self._changed.add(worker.hostname)
        self._let_go(now)

    def _is_absent(self, worker: Worker) -> bool:
        """The broker said, well after the worker's last word, that it is not there."""
        told = self._absent.get(worker.hostname)
        return told is not None and told > worker.heard + MARGIN

    def _let_go(self, now: float) -> None:
        gone = {
            w.hostname for w in self._get_looked_at() if _has_ended(w) and now - last_sign(w) > self._grace
        }
        excess = len(self.rows) - len(gone) - self._limit
        if excess > 0:
            ended = (w for w in self.rows.values() if _has_ended(w) and w.hostname not in gone)
            gone.update(w.hostname for w in sorted(ended, key=lambda w: w.heard)[:excess])
        if gone and self._looked_at is not None:
            self._looked_at = [worker for worker in self._looked_at if worker.hostname not in gone]
        for hostname in gone:
            del self.rows[hostname]
            self._changed.discard(hostname)
            self._removed.add(hostname)
            for memory in (self._skews, self._pids, self._absent, self._steady):
                memory.pop(hostname, None)
            self._duplicates.discard(hostname)

    def get_silent(self, *, now: float, connected_at: float) -> list[str]:
        """Names whose silence is longer than normal and who are not known to have ended."""
        return [
            worker.hostname
            for worker in self._get_looked_at()
            if worker.stopped_at is None
            and worker.lost_at is None
            and silence(worker, now=now, connected_at=connected_at) > patience(worker)
        ]

    def is_expected(self, hostname: str) -> bool:
        """This worker is listed and not known, or judged, to have ended."""
        worker = self.rows.get(hostname)
        return worker is not None and worker.stopped_at is None and worker.lost_at is None

    def get_unproven(self) -> list[str]:
        """Names called lost for their silence alone: nobody has yet said that they are gone."""
        return [
            worker.hostname
            for worker in self._get_looked_at()
            if worker.lost_at is not None and worker.stopped_at is None and not self._is_absent(worker)
        ]

    def get_to_call(self, *, now: float) -> list[str]:
        """Names to ask for a heartbeat: silent ones, and those that send none of their own before they seem silent."""
        return [
            worker.hostname
            for worker in self._get_looked_at()
            if worker.stopped_at is None
            and worker.lost_at is None
            and now - worker.heard > (CALL_AFTER if worker.freq is None else patience(worker))
        ]

    def take_ended(self, *, before: float) -> list[EndedRun]:
        """Runs that ended before this time, each told once."""
        due = [run for run in self._ended.values() if run.ended < before]
        for run in due:
            del self._ended[run.hostname]
        return due

    def put_back(self, run: EndedRun) -> None:
        """Tell this ended run again: there is more to do for it."""
        self._ended.setdefault(run.hostname, run)

    def get_changes(self) -> tuple[list[PackedWorker], list[str]]:
        """Rows and removals not stored yet, as of now."""
        return [pack_worker(self.rows[name]) for name in self._changed], sorted(self._removed)

    def has_changes(self) -> bool:
        """Something is to be stored."""
        return bool(self._changed or self._removed)

    def set_stored(self) -> None:
        """What `get_changes` gave is on its way into the store."""
        self._changed.clear()
        self._removed.clear()

    def put_back_changes(self, rows: Iterable[PackedWorker], removed: Iterable[str]) -> None:
        """These did not get there: they are to be stored again, as they are by then."""
        self._changed.update(worker.hostname for worker in rows if worker.hostname in self.rows)
        self._removed.update(hostname for hostname in removed if hostname not in self.rows)

    def get_notices(self, *, now: float, connected_at: float | None, enable_events: bool) -> list[str]:
        """What an operator should know of these workers, a sentence each."""
        notices = [
            f"Two workers share the name {name}: give each its own with -n, or their tasks and counts mix."
            for name in sorted(self._duplicates)[:5]
        ]
        if enable_events:
            deaf = [
                worker.hostname
                for worker in self._get_looked_at()
                if worker.status in _ALIVE and _lost_beat(worker, now, connected_at or 0.0)
            ]
            if deaf:
                notices.append(
                    f"{', '.join(sorted(deaf)[:3])} still sends events but no heartbeats since events were enabled by "
                    "broadcast (Celery issue 2272): start workers with -E and turn enable_events off."
                )
        return notices


def _has_ended(worker: Worker) -> bool:
    return worker.status in (WorkerStatus.LOST, WorkerStatus.STOPPED)


def _lost_beat(worker: Worker, now: float, connected_at: float) -> bool:
    """Other events come, heartbeats came and have stopped though they could have been heard."""
    if worker.freq is None or not worker.heartbeats:
        return False
    beat = max(worker.heartbeats[-1], connected_at)
    return now - beat > beat_patience(worker.freq) and now - worker.heard < patience(worker)
