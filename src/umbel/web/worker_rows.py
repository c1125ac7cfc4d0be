"""Every worker with its totals, kept in memory in step with the store: only what changed is read and rendered again.

Asked by the worker table, the v1 API and the live stream, from any thread.
"""

import threading

from umbel.control.roster import is_alive, listed
from umbel.model.worker import Worker
from umbel.store.base import HistoryReader
from umbel.store.changed import ChangedSenders
from umbel.web import schema
from umbel.web.flower_json import dumps
from umbel.web.wire import worker_out


class WorkerRow:
    """One worker as last read; a change makes a new one, so that equal rows are the same object."""

    __slots__ = ("_flower", "_out", "_running", "counts", "worker")

    def __init__(self, worker: Worker, counts: dict[str, int]) -> None:
        self.worker = worker
        #: Event type ("task-received") -> total.
        self.counts = counts
        self._flower = ""
        self._out: schema.WorkerOut | None = None
        self._running = 0

    @property
    def flower(self) -> str:
        """The row of `/workers?json=1`, as JSON."""
        if not self._flower:
            self._flower = dumps(_flower_row(self.worker, self.counts))
        return self._flower

    def out(self, running: int, stalled: str | None) -> schema.WorkerOut:
        """The row of the v1 API; `running` are the tasks STARTED there now, `stalled` the evidence of a stall."""
        if self._out is None or (self._running, self._out.stalled) != (running, stalled):
            self._out = worker_out(self.worker, self.counts, running, stalled)
            self._running = running
        return self._out


class WorkerRows:
    """The rows of all workers."""

    def __init__(self, reader: HistoryReader) -> None:
        self._reader = reader
        self._changed = ChangedSenders(reader)
        self._lock = threading.Lock()
        self._rows: dict[str, WorkerRow] = {}

    def fetch(self) -> list[WorkerRow]:
        """All of them, in first-seen order."""
        with self._lock, self._changed.fetch() as names:
            if names is None or names:
                self._refresh(names)
            return list(self._rows.values())

    def fetch_listed(self, *, now: float, grace: float) -> list[WorkerRow]:
        """Those that lists hold at `now` (epoch seconds)."""
        rows = {row.worker.hostname: row for row in self.fetch()}
        return [rows[worker.hostname] for worker in listed((row.worker for row in rows.values()), now, grace)]

    def _refresh(self, names: frozenset[str] | None) -> None:
        workers = self._reader.fetch_workers(names)
        totals = self._reader.fetch_event_totals(names)
        rows = dict(self._rows)
        if names is None:
            rows = {}
        for name in names or ():
            rows.pop(name, None)
        for worker in workers:
            known, counts = self._rows.get(worker.hostname), totals.get(worker.hostname, {})
            if known is None or known.worker != worker or known.counts != counts:
                known = WorkerRow(worker, counts)
            rows[worker.hostname] = known
        self._rows = dict(sorted(rows.items(), key=_first_seen))


def _first_seen(item: tuple[str, WorkerRow]) -> tuple[float, str]:
    return item[1].worker.first_seen, item[0]


def _flower_row(worker: Worker, counts: dict[str, int]) -> dict[str, object]:
    return {
        **counts,
        "hostname": worker.hostname,
        "pid": worker.pid or None,
        "freq": worker.freq,
        "heartbeats": worker.heartbeats,
        "clock": worker.clock,
        "active": worker.active,
        "processed": worker.processed,
        "loadavg": worker.loadavg,
        "sw_ident": worker.sw_ident,
        "sw_ver": worker.sw_ver,
        "sw_sys": worker.sw_sys,
        "status": is_alive(worker),
    }
