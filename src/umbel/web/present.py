"""What the v1 API and the stream both show of the present: workers, facets, status. Blocking: call in a thread."""

import msgspec

from umbel.control.roster import grace_of, is_alive
from umbel.errors import StoreError
from umbel.metrics.readiness import reasons_not_ready
from umbel.model.worker import Worker
from umbel.store.base import Gap
from umbel.store.sender_counts import SenderCounters
from umbel.store.status import CollectorStatus, is_believed
from umbel.web import schema
from umbel.web.deps import Deps
from umbel.web.wire import facet_counts, worker_totals
from umbel.web.worker_rows import WorkerRow, WorkerRows

_STATES = ("connecting", "connected", "blind", "stopped")


class Present:
    """Reads the store and the collector's status for everybody who shows them."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._rows = WorkerRows(deps.reader)

    @property
    def counters(self) -> SenderCounters:
        """The counters of all senders."""
        return self._rows.counters

    def fetch_rows(self) -> list[WorkerRow]:
        """The workers that lists hold, with their totals, in first-seen order."""
        return self._rows.fetch_listed(now=self._deps.now(), grace=grace_of(self._deps.config))

    def fetch_listed(self) -> list[Worker]:
        """The same workers alone."""
        return [row.worker for row in self.fetch_rows()]

    def fetch_workers(self) -> schema.WorkerList:
        """Listed workers with counters and totals."""
        running = self._deps.reader.fetch_running_totals()
        stalled = {stall.worker: stall.evidence for stall in self._deps.sampler.stalls}
        items = []
        for row in self.fetch_rows():
            name = row.worker.hostname
            items.append(row.out(running.get(name, 0), stalled.get(name) if is_alive(row.worker) else None))
        return schema.WorkerList(items=items, totals=worker_totals(items))

    def fetch_facets(self, *, name: str | None = None, worker: str | None = None) -> schema.Facets:
        """Stored tasks by state, name and worker: all of them, or those of one name or worker in any case."""
        facets = [
            facet
            for facet in self._deps.reader.fetch_facets()
            if _is_same(facet.name, name) and _is_same(facet.worker, worker)
        ]
        return schema.Facets(
            total=sum(facet.count for facet in facets),
            states=facet_counts(facets, "state"),
            names=facet_counts(facets, "name"),
            workers=facet_counts(facets, "worker"),
        )

    def fetch_states(self) -> list[schema.FacetCount]:
        """Stored tasks by state, the most frequent first."""
        totals = self._deps.reader.fetch_state_totals()
        ranked = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
        return [schema.FacetCount(value=value, count=count) for value, count in ranked]

    def fetch_collector(self) -> CollectorStatus | None:
        """The collector's word. While ours stands by, that of the one that writes. Until ours has said anything, or
        once it fell silent, what was stored last, but as the word of one that is not connected: the collector that
        said it may be dead."""
        live = self._deps.status()
        fresh = live is not None and is_believed(live, self._deps.now())
        if live is not None and fresh and live.state not in ("stopped", "standby"):
            return live
        stored = self._deps.reader.fetch_status()
        if stored is None:
            return live
        if live is not None and fresh and live.state == "standby":
            return stored
        return msgspec.structs.replace(live or stored, state="connecting", proof_at=None)

    def fetch_status(self) -> schema.Status:
        """Whether what is shown is true and current, and what to do when it is not. Answers without a history, too."""
        deps, now = self._deps, self._deps.now()
        extent = None
        gaps: list[Gap] = []
        unread = []
        try:
            status = self.fetch_collector()
            extent = deps.reader.fetch_extent()
            gaps = deps.reader.fetch_gaps(limit=20)
        except StoreError as exc:
            status = deps.status()
            unread = [f"The history can't be read: {exc}"]
        reasons = reasons_not_ready(status, now) + unread
        seen = status or CollectorStatus(pid=0, time=0.0, started=0.0, state="absent")
        return schema.Status(
            ready=not reasons,
            state=seen.state if seen.state in _STATES else "absent",  # type: ignore[arg-type]
            broker=seen.broker or deps.broker,
            error=seen.error or seen.store_error or (reasons[0] if reasons else ""),
            last_event=seen.last_event_at,
            last_proof=seen.proof_at,
            lag=seen.lag,
            events=seen.events,
            dropped=seen.dropped,
            malformed=seen.malformed,
            reconnects=seen.reconnects,
            open_gap=any(gap.end is None for gap in gaps),
            now=now,
            stored_tasks=None if extent is None else extent.tasks,
            stored_bytes=None if extent is None else extent.bytes,
            stored_since=None if extent is None else extent.since,
            notices=_notices(seen, reasons),
        )


def _is_same(value: str, wanted: str | None) -> bool:
    """As the list's filters: exact but for the case; an unknown name or worker is never meant."""
    return wanted is None or (value != "" and value.casefold() == wanted.casefold())


def _notices(status: CollectorStatus, reasons: list[str]) -> list[schema.Notice]:
    errors = [schema.Notice(level="error", text=reason) for reason in reasons]
    return errors + [schema.Notice(level="warning", text=text) for text in status.notices]
