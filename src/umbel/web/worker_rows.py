"""Every worker with its totals, kept in memory in step with the store: only what changed is read and rendered again.

Asked by the worker table, the v1 API and the live stream, from any thread.
"""

import json
import threading
from collections.abc import Mapping
from math import isfinite
from typing import Any

import msgspec

from umbel.control.roster import is_alive, listed
from umbel.model.worker import Worker
from umbel.store.base import HistoryReader
from umbel.store.changed import ChangedSenders
from umbel.store.sender_counts import SenderCounters, SenderCounts
from umbel.web import schema
from umbel.web.flower_json import dumps, dumps_plain
from umbel.web.wire import worker_out


class WorkerRow:
    """One worker as last read; a change makes a new one, so that equal rows are the same object."""

    __slots__ = ("_by_type", "_counts", "_flower", "_out", "_running", "_tail", "worker")

    def __init__(
        self, worker: Worker, counts: SenderCounts | None, before: "WorkerRow | None" = None
    ) -> None:
        """`before` is the row of the same worker that this one replaces."""
        self.worker = worker
        self._counts = counts
        self._by_type: dict[str, int] | None = None
        self._flower = ""
        #: The worker's own part of that text, without the counters.
        self._tail: str = before._tail if before is not None and before.worker is worker else ""
        self._out: schema.WorkerOut | None = None
        self._running = 0

    @property
    def counts(self) -> dict[str, int]:
        """Event type ("task-received") -> total."""
        if self._by_type is None:
            self._by_type = {} if self._counts is None else self._counts.by_type()
        return self._by_type

    @property
    def flower(self) -> str:
        """The row of `/workers?json=1`, as JSON."""
        if not self._flower:
            counts = self.counts
            if not self._tail:
                self._tail = _dump(self.worker)
            if not counts:
                self._flower = self._tail
            elif counts.keys().isdisjoint(_FIELDS):
                self._flower = f"{dumps_plain(counts)[:-1]}, {self._tail[1:]}"
            else:  # an event of a type of that name
                self._flower = dumps({**counts, **_flower_row(self.worker)})
        return self._flower

    def out(self, running: int, stalled: str | None) -> schema.WorkerOut:
        """The row of the v1 API; `running` are the tasks STARTED there now, `stalled` the evidence of a stall."""
        if self._out is None or (self._running, self._out.stalled) != (running, stalled):
            self._out = worker_out(self.worker, self.counts, running, stalled)
            self._running = running
        return self._out

    def renewed(self, worker: Worker, counts: SenderCounts | None) -> "WorkerRow":
        """The row with these, itself where they are the same."""
        is_same = worker is self.worker or worker == self.worker
        if is_same and counts is self._counts:
            return self
        return WorkerRow(self.worker if is_same else worker, counts, self)


class WorkerRows:
    """The rows of all workers."""

    def __init__(self, reader: HistoryReader) -> None:
        self._reader = reader
        #: Of all senders, for others as well.
        self.counters = SenderCounters(reader)
        self._changed = ChangedSenders(reader)
        self._lock = threading.Lock()
        self._rows: dict[str, WorkerRow] = {}
        #: The counters that the rows were made from.
        self._counts: Mapping[str, SenderCounts] = {}

    def fetch(self) -> list[WorkerRow]:
        """All of them, in first-seen order."""
        with self._lock, self._changed.fetch() as names:
            counts = self.counters.fetch()
            if names is None or names:
                self._refresh(names, counts)
            elif counts is not self._counts:
                self._rows = {
                    name: row.renewed(row.worker, counts.get(name)) for name, row in self._rows.items()
                }
            self._counts = counts
            return list(self._rows.values())

    def fetch_listed(self, *, now: float, grace: float) -> list[WorkerRow]:
        """Those that lists hold at `now` (epoch seconds)."""
        rows = {row.worker.hostname: row for row in self.fetch()}
        return [rows[worker.hostname] for worker in listed((row.worker for row in rows.values()), now, grace)]

    def _refresh(self, names: frozenset[str] | None, counts: Mapping[str, SenderCounts]) -> None:
        known = self._rows
        rows: dict[str, WorkerRow] = {}
        if names is not None:
            rows = {
                name: row.renewed(row.worker, counts.get(name))
                for name, row in known.items()
                if name not in names
            }
        for worker in self._reader.fetch_workers(names):
            name = worker.hostname
            before, counted = known.get(name), counts.get(name)
            rows[name] = WorkerRow(worker, counted) if before is None else before.renewed(worker, counted)
        self._rows = dict(sorted(rows.items(), key=_first_seen))


def _first_seen(item: tuple[str, WorkerRow]) -> tuple[float, str]:
    return item[1].worker.first_seen, item[0]


def _flower_row(worker: Worker) -> dict[str, Any]:
    return {
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


#: A text as `json.dumps` writes it.
_quote = json.encoder.encode_basestring_ascii

_FIELDS = _flower_row(Worker(hostname="")).keys()


def _dump(worker: Worker) -> str:
    """What `dumps` makes of the row, in a third of the time."""
    freq = "null" if worker.freq is None else _dump_floats([worker.freq])[1:-1]
    load = "null" if worker.loadavg is None else _dump_floats(worker.loadavg)
    text = (
        f'{{"hostname": {_quote(worker.hostname)}, "pid": {worker.pid or "null"}, "freq": {freq}, '
        f'"heartbeats": {_dump_times(worker.heartbeats)}, "clock": {worker.clock}, '
        f'"active": {_or_null(worker.active)}, "processed": {_or_null(worker.processed)}, '
        f'"loadavg": {load}, "sw_ident": {_text_or_null(worker.sw_ident)}, '
        f'"sw_ver": {_text_or_null(worker.sw_ver)}, "sw_sys": {_text_or_null(worker.sw_sys)}, '
        f'"status": {"true" if is_alive(worker) else "false"}}}'
    )
    return text.replace("</", "<\\/")


def _dump_times(values: list[float]) -> str:
    """Moments have many digits, which msgspec writes faster than Python, and alike from 1 to 1e16."""
    if values and min(values) >= 1 and sum(values) < 1e16:
        return msgspec.json.encode(values).decode().replace(",", ", ")
    return dumps(values)


def _dump_floats(values: list[float]) -> str:
    """A list of finite floats reads the same in Python and JSON."""
    return str(values) if isfinite(sum(values)) else dumps(values)


def _or_null(value: int | None) -> object:
    return "null" if value is None else value


def _text_or_null(value: str | None) -> str:
    return "null" if value is None else _quote(value)
