"""The storage contract: one `HistoryWriter` per history, any number of `HistoryReader`s.

Records go in as changes of rows, answers come out as records; nothing here names a database.
Every method is synchronous and may block on disk: async callers run it in a thread.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import msgspec

from umbel.model.plain import Life
from umbel.model.queue import KnownQueue, QueueBucket, QueueSample
from umbel.model.rollup import Rollup, RollupKey, Tally
from umbel.model.task import Record, Standing, Task
from umbel.model.worker import Worker
from umbel.store.packed import PackedCounts, PackedRuntimes, PackedWorker
from umbel.store.retention import Extent, Pruned
from umbel.store.search import Expression
from umbel.store.status import CollectorStatus

SortField = Literal[
    "updated", "name", "state", "received", "started", "runtime", "worker", "sent", "succeeded", "failed",
    "retried", "revoked", "rejected", "uuid", "args", "kwargs", "result", "exception", "eta", "expires",
    "retries", "exchange", "routing_key", "queue", "client", "wait", "clock",
]  # fmt: skip


class TaskQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which tasks, in which order. Filters are combined with AND; an empty query is every task.

    Strings compare case-insensitively. Missing values come first ascending and last descending; ties by
    uuid in the direction of the sort.
    """

    search: Expression | None = None
    #: Exact, case-insensitive; several are combined with OR.
    states: tuple[str, ...] = ()
    name: str | None = None
    worker: str | None = None
    root_id: str | None = None
    parent_id: str | None = None
    #: Inclusive, epoch seconds UTC; tasks without `received` pass (as in Flower).
    received_start: float | None = None
    received_end: float | None = None
    sort: SortField = "updated"
    descending: bool = True


class Page(msgspec.Struct, frozen=True):
    """One page of tasks. `next` is an opaque cursor, None on the last page."""

    tasks: list[Task]
    next: str | None


class Count(msgspec.Struct, frozen=True):
    """How many tasks match; `exact` is False where counting stopped at the limit and `value` is a floor."""

    value: int
    exact: bool


class TaskDetail(msgspec.Struct, frozen=True):
    """Everything kept of one task."""

    task: Task
    #: Marks, register stamps and all errors, so that `attempts(record.marks)` gives the timeline.
    record: Record
    #: uuids of tasks whose parent_id is this one, oldest first; at most 1,000.
    children: list[str]


class TaskChange(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The transition of one row."""

    #: The row as stored now, None for a new task. A wrong one costs time, not truth.
    before: Task | None
    after: Task
    #: What is kept of it beside the row's own columns.
    life: Life


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """An interval in which events may have been missed. Epoch seconds UTC."""

    id: int = 0
    start: float
    #: None while it is still open.
    end: float | None = None
    #: "monitor-down" | "broker-lost" | "overload" | "store-full"
    cause: str
    #: True: events were lost for certain or can't be ruled out. False: the broker held them for us.
    lossy: bool = True
    detail: str = ""


class CounterKey(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """worker (sender) × task name ("" when unknown or a worker event) × event type ("task-received")."""

    worker: str
    task: str
    type: str


class Runtimes(msgspec.Struct, frozen=True, gc=False):
    """Flower's run-time histogram of one (worker, task): per-bucket counts (not cumulative), sum in seconds."""

    buckets: tuple[int, ...]
    sum: float


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What one chunk of a flush does to the history; written in one transaction."""

    #: At most one a task. Walking through them may make them anew (`wire.PackedTasks`), so it is done once.
    tasks: Collection[TaskChange] = ()
    #: Whole worker rows, replaced.
    workers: Sequence[PackedWorker] = ()
    #: Worker names that left the list (their history stays).
    workers_removed: Sequence[str] = ()
    #: What the tasks' steps change of totals: counters, run times, time buckets.
    tally: Tally = msgspec.field(default_factory=Tally)
    #: Differences of other counters: of what workers and clients tell about themselves.
    counters: Mapping[CounterKey, int] = msgspec.field(default_factory=dict)


class FeedRow(msgspec.Struct, frozen=True):
    """What changed in one transaction. `tasks` is None where more than 200 did ("many")."""

    id: int
    time: float
    tasks: list[str] | None
    #: Senders whose worker row or counters changed, clients among them, and workers that left.
    workers: list[str]


class FeedPlace(msgspec.Struct, frozen=True):
    """A row of the feed, by which the history that it is in is known as well; zeros before the first row."""

    id: int = 0
    time: float = 0.0


class Facet(msgspec.Struct, frozen=True):
    """How many stored tasks have this state, name and worker now ("" where unknown)."""

    state: str
    name: str
    worker: str
    count: int


class HistoryWriter(ABC):
    """The one writer of a history; holds a kernel lock on it from `open` to `close`."""

    @abstractmethod
    def open(self) -> None:
        """Lock, repair or create, and migrate the history.

        A damaged file is moved aside (its new name is logged) and a fresh one begun.

        Raises:
            StoreLocked: Another process writes it.
            StoreRefused: The place is a directory, a foreign file, or of a newer schema.
            StoreUnavailable: The disk refuses.
        """

    @abstractmethod
    def close(self) -> None:
        """Checkpoint, close and unlock. Safe to call twice."""

    @abstractmethod
    def fetch_lives(self, uuids: Collection[str]) -> dict[str, tuple[Task, Life]]:
        """The rows of these tasks as stored; unknown ids are left out."""

    @abstractmethod
    def fetch_workers(self) -> dict[str, Worker]:
        """Every worker row, by hostname: what the pipeline starts from."""

    @abstractmethod
    def write(self, changes: Changes) -> int:
        """Apply `changes` in one transaction and append one feed row; return the feed id.

        Raises:
            StoreUnavailable: Nothing of it was written (disk full, I/O error); try again later.
        """

    @abstractmethod
    def write_status(self, status: CollectorStatus) -> None:
        """Replace the collector's status (also the 'last alive' time behind monitor-down gaps)."""

    @abstractmethod
    def note_alive(self, now: float, proof_at: float | None) -> None:
        """The status written last still holds but for `time` (`now`) and `proof_at`. As lasting, and much cheaper."""

    @abstractmethod
    def remember_queues(self, names: Collection[str]) -> None:
        """These queues are there now; those that tasks name are remembered by `write`."""

    @abstractmethod
    def write_queue_samples(self, samples: Sequence[QueueSample]) -> None:
        """Bring these, in the order of their times, into the time buckets of their queues."""

    @abstractmethod
    def open_gap(self, gap: Gap) -> int:
        """Record a gap; return its id."""

    @abstractmethod
    def close_gap(self, gap_id: int, end: float, *, lossy: bool | None = None) -> None:
        """End an open gap; `lossy` replaces what was assumed at its start."""

    @abstractmethod
    def fetch_open_tasks(self, worker: str, *, limit: int) -> list[Task]:
        """Unfinished tasks whose last attempt is on `worker`, oldest first."""

    @abstractmethod
    def fetch_stale_tasks(self, before: float, *, limit: int) -> list[Task]:
        """Unfinished tasks of any worker without a mark since `before` (epoch seconds UTC), oldest first."""

    @abstractmethod
    def fetch_last_alive(self) -> float | None:
        """Up to when all that the last run had received was stored, as it said last, epoch seconds UTC; None for a
        new history. To be asked before the first `write_status`: what lies between is a monitor-down gap."""

    @abstractmethod
    def fetch_open_gaps(self) -> list[Gap]:
        """Gaps without an end, oldest first: at start, those that a killed run left open."""

    @abstractmethod
    def release(self) -> None:
        """Let go of what memory and disk hold only to be faster, for nothing is written for a while."""

    @abstractmethod
    def get_feed_head(self) -> int:
        """The last id that `write` returned, 0 before the first."""

    @abstractmethod
    def get_notices(self) -> list[str]:
        """What had to be done to the history since `open` (damage moved aside), each a sentence for people."""

    @abstractmethod
    def prune(self, *, now: float, dry_run: bool = False) -> Pruned:
        """Take finished tasks beyond the limits of age, count and bytes in small batches, thin out rollups
        (minutes 48 h, hours 90 days), old gaps and feed rows, and give space back. A waiting or running
        task is never taken by age or count. Facets are kept exact; counters and rollups are untouched."""

    @abstractmethod
    def prune_some(self, *, now: float, seconds: float) -> bool:
        """Go on with `prune`, or begin it, for about so many seconds; True once it is over.

        Of the file's free space only that is given back which was free before: what retention frees now, tasks that
        come are likely to need.
        """


class HistoryReader(ABC):
    """Answers questions about a history, from any thread, while the writer writes."""

    @abstractmethod
    def open(self) -> None:
        """Open for reading, which the first question does as well.

        Raises:
            StoreUnavailable: The writer has not made the history yet.
        """

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def fetch_tasks(
        self, query: TaskQuery, *, limit: int, cursor: str | None = None, offset: int = 0
    ) -> Page:
        """At most `limit` (1–10,000) matching tasks in the query's order; continue after `cursor`, or skip
        `offset` rows (Flower's way). Raises CursorError for a cursor of another query order."""

    @abstractmethod
    def count_tasks(self, query: TaskQuery, *, limit: int = 100_000) -> Count:
        """How many match, counting no further than `limit`; a query without search text is answered from facets
        where they suffice."""

    @abstractmethod
    def fetch_task(self, uuid: str) -> TaskDetail | None:
        """One task with marks, errors and children; None when it is not known."""

    @abstractmethod
    def fetch_children(self, uuids: Collection[str]) -> dict[str, list[str]]:
        """Parent uuid -> child uuids, oldest first; parents without children are left out."""

    @abstractmethod
    def fetch_workers(self, only: Collection[str] | None = None) -> list[Worker]:
        """Every worker row, or those of these names, in first-seen order."""

    @abstractmethod
    def fetch_counters(self) -> dict[CounterKey, int]:
        """All event counters: totals since the history began, untouched by retention."""

    @abstractmethod
    def fetch_packed_counts(self, only: Collection[str] | None = None) -> dict[str, PackedCounts]:
        """Sender -> all of its counters: of all senders, or those of these names that have any."""

    @abstractmethod
    def fetch_event_totals(self, only: Collection[str] | None = None) -> dict[str, dict[str, int]]:
        """Sender -> event type -> total over all tasks, worker events included; all senders or these."""

    @abstractmethod
    def fetch_runtimes(self, only: Collection[str] | None = None) -> dict[str, PackedRuntimes]:
        """Worker -> run-time histograms for the configured bounds, of all workers or these."""

    @abstractmethod
    def fetch_waits(self) -> dict[tuple[str, str], Runtimes]:
        """(`model.wait.Basis`, task) -> histogram of waits in WAIT_BOUNDS: totals since the history began."""

    @abstractmethod
    def fetch_facets(self) -> list[Facet]:
        """Row counts by state, name and worker; each always equals its filtered list."""

    @abstractmethod
    def fetch_state_totals(self) -> dict[str, int]:
        """State -> stored tasks in it: the sums of `fetch_facets`."""

    @abstractmethod
    def fetch_running_totals(self) -> dict[str, int]:
        """Worker -> stored tasks STARTED there now: the sums of `fetch_running`."""

    @abstractmethod
    def fetch_prefetched(self) -> dict[tuple[str, str], int]:
        """(worker, task) -> tasks RECEIVED there, without ETA, and not started."""

    @abstractmethod
    def fetch_running(self) -> dict[tuple[str, str], tuple[int, float]]:
        """(worker, task) -> (tasks STARTED there now, wait in seconds of the latest of them without ETA, else 0)."""

    @abstractmethod
    def fetch_task_types(self) -> list[str]:
        """Sorted task names ever seen."""

    @abstractmethod
    def fetch_queues(self) -> list[KnownQueue]:
        """The queues that are remembered, by name."""

    @abstractmethod
    def fetch_sent(self, uuids: Collection[str]) -> dict[str, float]:
        """uuid -> when it was sent, epoch seconds UTC; tasks of which that is not known are left out."""

    @abstractmethod
    def fetch_standings(self, uuids: Collection[str]) -> dict[str, Standing]:
        """uuid -> how the task stands; unknown ids are left out."""

    @abstractmethod
    def fetch_rollups(
        self, *, kind: str, label: str | None, span: int, start: float, end: float
    ) -> list[tuple[RollupKey, Rollup]]:
        """Buckets of `span` seconds (60, 3600, 86400) with start <= bucket < end, oldest first."""

    @abstractmethod
    def fetch_queue_rollups(
        self, *, queue: str | None, largest: int, span: int, start: float, end: float
    ) -> list[QueueBucket]:
        """Buckets of one queue, or of the `largest` that were longest then, as `fetch_rollups` has them."""

    @abstractmethod
    def fetch_gaps(self, *, limit: int = 100) -> list[Gap]:
        """Newest first."""

    @abstractmethod
    def fetch_feed(self, after: int, *, limit: int = 1000) -> list[FeedRow]:
        """Feed rows with id > after, oldest first."""

    @abstractmethod
    def fetch_feed_place(self) -> FeedPlace:
        """Where the feed ends now."""

    @abstractmethod
    def fetch_changed_senders(self, after: FeedPlace) -> tuple[FeedPlace, frozenset[str] | None]:
        """(where the feed ends, the senders that feed rows after that place name); None instead of names where the
        place is not of this history, those rows are not all there any more, or too many to read."""

    @abstractmethod
    def fetch_feed_head(self) -> int:
        """The newest feed id, 0 when there is none."""

    @abstractmethod
    def fetch_status(self) -> CollectorStatus | None:
        """The collector's last written status."""

    @abstractmethod
    def fetch_extent(self) -> Extent: ...

    @abstractmethod
    def fetch_wal_size(self) -> int:
        """Bytes of the write-ahead log, which `fetch_extent` includes; 0 for engines without one."""

    @abstractmethod
    def fetch_search_backlog(self) -> int | None:
        """About how many new and changed rows the search index does not know yet; None where there is none."""
