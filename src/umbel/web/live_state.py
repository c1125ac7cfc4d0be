"""What changed since the last message: turns feed rows and the present into snapshots and deltas.

Blocking, called in a thread by `stream`, which never runs two calls at once.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from umbel.model.liveness import may_be_worker
from umbel.store.base import FeedRow
from umbel.web import schema
from umbel.web.deps import Deps
from umbel.web.present import Present

#: Feed rows read at once, and the most that a returning client is caught up by.
MAX_ROWS = 1_000
#: Seconds for which a worker's signs of life may wait when nothing else of it changed: it sends one every 2 s.
QUIET = 4.0
#: More changed tasks than this in one message are "many".
MAX_TASKS = 200


class Told(NamedTuple):
    """A worker's row as listeners know it, and since when."""

    row: schema.WorkerOut
    time: float


class LiveState:
    """The last state that listeners were told of."""

    def __init__(self, deps: Deps, present: Present) -> None:
        self._reader = deps.reader
        self._present = present
        self._feed = 0
        self._now = deps.now
        self._workers: dict[str, Told] = {}
        self._facets: list[schema.FacetCount] = []
        self._status: schema.Status | None = None

    def reset(self) -> None:
        """Begin from now: what `fetch_delta` compares with is the present."""
        snapshot = self.fetch_snapshot()
        self._feed = snapshot.feed
        now = self._now()
        self._workers = {row.hostname: Told(row, now) for row in snapshot.workers.items}
        self._facets = snapshot.facets
        self._status = snapshot.status

    def fetch_snapshot(self) -> schema.Snapshot:
        """Everything a new listener needs. The state is at least as new as its feed id."""
        feed = self._reader.fetch_feed_head()
        return schema.Snapshot(
            feed=feed,
            status=self._present.fetch_status(),
            workers=self._present.fetch_workers(),
            facets=self._present.fetch_states(),
        )

    def fetch_missed(self, after: int) -> schema.Delta | None:
        """What a listener missed that saw feed id `after`; None when that is too long ago to tell."""
        head = self._reader.fetch_feed_head()
        rows = self._reader.fetch_feed(after, limit=MAX_ROWS)
        if after > head or len(rows) >= MAX_ROWS or (after < head and (not rows or rows[0].id != after + 1)):
            return None
        workers = self._present.fetch_workers()
        listed = {row.hostname for row in workers.items}
        gone = {name for row in rows for name in row.workers if may_be_worker(name)} - listed
        return schema.Delta(
            feed=max(head, rows[-1].id if rows else after),
            tasks=changed_tasks(rows),
            workers=workers.items,
            workers_removed=sorted(gone),
            totals=workers.totals,
            facets=self._present.fetch_states(),
            status=self._present.fetch_status(),
        )

    def fetch_delta(self, thorough: bool) -> schema.Delta | None:
        """What changed since the last call; None when nothing did. `thorough` also looks at what changes without
        any event: the status, and workers that leave the list."""
        rows = self._reader.fetch_feed(self._feed, limit=MAX_ROWS)
        if not rows and not thorough:
            return None
        tasks = changed_tasks(rows)
        has_tasks = tasks is None or bool(tasks)
        workers, removed, totals = self._changed_workers()
        facets = self._changed_facets() if has_tasks else None
        status = self._changed_status() if thorough else None
        self._feed = rows[-1].id if rows else self._feed
        if not (has_tasks or workers or removed or facets or status):
            return None
        return schema.Delta(
            feed=self._feed,
            tasks=tasks,
            workers=workers,
            workers_removed=removed,
            totals=totals if workers or removed else None,
            facets=facets,
            status=status,
        )

    def _changed_workers(
        self,
    ) -> tuple[list[schema.WorkerOut], list[str], schema.WorkerTotals]:
        listing = self._present.fetch_workers()
        now = self._now()
        told: dict[str, Told] = {}
        changed = []
        for row in listing.items:
            known = self._workers.get(row.hostname)
            if known is not None and (known.row is row or known.row == row or _may_wait(known, row, now)):
                told[row.hostname] = known
            else:
                told[row.hostname] = Told(row, now)
                changed.append(row)
        removed = sorted(self._workers.keys() - told.keys())
        self._workers = told
        return changed, removed, listing.totals

    def _changed_facets(self) -> list[schema.FacetCount] | None:
        known, self._facets = self._facets, self._present.fetch_states()
        return self._facets if self._facets != known else None

    def _changed_status(self) -> schema.Status | None:
        known, self._status = self._status, self._present.fetch_status()
        if known is not None and msgspec.structs.replace(known, now=self._status.now) == self._status:
            return None
        return self._status


def _may_wait(known: Told, row: schema.WorkerOut, now: float) -> bool:
    """Nothing but signs of life is new, and the last ones were told lately."""
    if now - known.time >= QUIET:
        return False
    return row == msgspec.structs.replace(
        known.row,
        clock=row.clock,
        last_heartbeat=row.last_heartbeat,
        last_seen=row.last_seen,
        loadavg=row.loadavg,
        skew=row.skew,
    )


def changed_tasks(rows: Sequence[FeedRow]) -> list[str] | None:
    """uuids of the tasks that feed rows name, each once; None for "many"."""
    changed: dict[str, None] = {}
    for row in rows:
        if row.tasks is None:
            return None
        changed.update(dict.fromkeys(row.tasks))
    return list(changed) if len(changed) <= MAX_TASKS else None
