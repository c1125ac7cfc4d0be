"""The tables of a history, as SQLAlchemy Core sees them; the migrations build the same ones.

`tests/contract/test_store_schema.py` holds both together. Used by the engines' writers and readers only.
"""

import sqlalchemy as sa

from umbel.store.migrate import Schema

#: The newest migration in `migrations/versions`.
SCHEMA_VERSION = "0009"

#: `store.partition`: 65,536 rows each.
PARTITION_BITS = 16
PARTITION = f"id >> {PARTITION_BITS}"

metadata = sa.MetaData()

#: One row a task. The small columns come first, so that scans of them skip the overflow pages of long texts.
tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("name", sa.Text),
    sa.Column("worker", sa.Text),
    sa.Column("updated", sa.Double, nullable=False),
    sa.Column("finished", sa.Boolean, nullable=False),
    #: Every text that search looks at is plain ASCII without NUL, so SQL's own LIKE and lower() are right.
    sa.Column("ascii", sa.Boolean, nullable=False),
    sa.Column("redelivered", sa.Boolean, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("origin", sa.Integer, nullable=False),
    sa.Column("clock", sa.BigInteger, nullable=False),
    sa.Column("retries", sa.BigInteger),
    sa.Column("first_seen", sa.Double, nullable=False),
    sa.Column("sent", sa.Double),
    sa.Column("received", sa.Double),
    sa.Column("started", sa.Double),
    sa.Column("succeeded", sa.Double),
    sa.Column("failed", sa.Double),
    sa.Column("retried", sa.Double),
    sa.Column("revoked", sa.Double),
    sa.Column("rejected", sa.Double),
    sa.Column("runtime", sa.Double),
    sa.Column("wait", sa.Double),
    #: "" where it is the task itself.
    sa.Column("root_id", sa.Text),
    sa.Column("parent_id", sa.Text),
    sa.Column("queue", sa.Text),
    sa.Column("exchange", sa.Text),
    sa.Column("routing_key", sa.Text),
    sa.Column("client", sa.Text),
    sa.Column("eta", sa.Text),
    sa.Column("expires", sa.Text),
    #: `store.packing`: marks, and when each register was written.
    sa.Column("marks", sa.LargeBinary, nullable=False),
    sa.Column("args", sa.Text),
    sa.Column("kwargs", sa.Text),
    sa.Column("result", sa.Text),
    sa.Column("exception", sa.Text),
    sa.Column("traceback", sa.Text),
)

_UNFINISHED = sa.text("finished = 0")
#: That no uuid has two rows is up to the writer, for the index would notice it in one partition only.
sa.Index("tasks_uuid", sa.text(PARTITION), tasks.c.uuid, unique=True)
sa.Index("tasks_updated", tasks.c.updated)
sa.Index("tasks_state", tasks.c.state, tasks.c.updated)
sa.Index("tasks_name", tasks.c.name, tasks.c.updated)
sa.Index("tasks_worker", tasks.c.worker, tasks.c.updated)
sa.Index("tasks_received", tasks.c.received)
sa.Index("tasks_started", tasks.c.started)
sa.Index("tasks_runtime", sa.text(PARTITION), tasks.c.runtime)
sa.Index("tasks_parent", tasks.c.parent_id, sqlite_where=sa.text("parent_id IS NOT NULL"))
#: Tasks that are their own root are found by their uuid.
sa.Index("tasks_root", tasks.c.root_id, sqlite_where=sa.text("root_id <> ''"))
sa.Index("tasks_open", tasks.c.worker, tasks.c.updated, sqlite_where=_UNFINISHED)

#: What the search index has to look at again: rows that changed after they had finished, and ids that may be given
#: anew because the newest rows were deleted: `id` and all above it, where `freed`.
rewritten = sa.Table(
    "rewritten",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("id", sa.Integer, nullable=False),
    sa.Column("freed", sa.Boolean, nullable=False),
    sqlite_autoincrement=True,
)
_WATCH_ROWS = (
    "CREATE TRIGGER tasks_rewritten AFTER UPDATE ON tasks WHEN old.finished AND (NOT new.finished "
    "OR old.args IS NOT new.args OR old.kwargs IS NOT new.kwargs OR old.result IS NOT new.result) "
    "BEGIN INSERT INTO rewritten (id, freed) VALUES (old.id, 0); END"
)
_WATCH_IDS = (
    "CREATE TRIGGER tasks_freed AFTER DELETE ON tasks WHEN old.id > (SELECT coalesce(max(id), 0) FROM tasks) "
    "BEGIN INSERT INTO rewritten (id, freed) SELECT coalesce(max(id), 0) + 1, 1 FROM tasks; END"
)
TRIGGERS = (_WATCH_ROWS, _WATCH_IDS)


@sa.event.listens_for(rewritten, "after_create")
def _create_triggers(_: sa.Table, connection: sa.Connection, **__: object) -> None:
    for trigger in TRIGGERS:
        connection.exec_driver_sql(trigger)


#: Errors of earlier attempts; the last one stands in its task's row.
task_errors = sa.Table(
    "task_errors",
    metadata,
    sa.Column("uuid", sa.Text, primary_key=True),
    sa.Column("time", sa.Double, primary_key=True),
    sa.Column("rank", sa.Integer, primary_key=True),
    #: Of both texts: two errors of one moment are two rows, the same error twice is one.
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("exception", sa.Text, nullable=False),
    sa.Column("traceback", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("hostname", sa.Text, primary_key=True),
    sa.Column("first_seen", sa.Double, nullable=False),
    #: `model.worker.Worker` as msgpack.
    sa.Column("data", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

#: Whoever sent an event, and when that was last, to the hour: epoch seconds.
senders = sa.Table(
    "senders",
    metadata,
    sa.Column("hostname", sa.Text, primary_key=True),
    sa.Column("last_seen", sa.Double, nullable=False),
    sqlite_with_rowid=False,
)
sa.Index("senders_last_seen", senders.c.last_seen)

#: Totals since the history began, of those in `senders`.
counters = sa.Table(
    "counters",
    metadata,
    sa.Column("worker", sa.Text, primary_key=True),
    sa.Column("task", sa.Text, primary_key=True),
    sa.Column("type", sa.Text, primary_key=True),
    sa.Column("n", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: Flower's run-time histogram, kept apart for each set of bounds it was counted in.
runtimes = sa.Table(
    "runtimes",
    metadata,
    sa.Column("bounds", sa.Text, primary_key=True),
    sa.Column("worker", sa.Text, primary_key=True),
    sa.Column("task", sa.Text, primary_key=True),
    #: `store.base.Runtimes` as msgpack.
    sa.Column("data", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

#: How long tasks waited until they were started, as `runtimes` has how long they ran.
waits = sa.Table(
    "waits",
    metadata,
    sa.Column("bounds", sa.Text, primary_key=True),
    sa.Column("basis", sa.Text, primary_key=True),
    sa.Column("task", sa.Text, primary_key=True),
    #: `store.base.Runtimes` as msgpack.
    sa.Column("data", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

rollups = sa.Table(
    "rollups",
    metadata,
    sa.Column("span", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("label", sa.Text, primary_key=True),
    sa.Column("start", sa.BigInteger, primary_key=True),
    #: `model.rollup.Rollup` as msgpack.
    sa.Column("data", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
sa.Index("rollups_start", rollups.c.span, rollups.c.kind, rollups.c.start)

#: Which minutes of a kind are in their hours and days: all that begin before `edge`, and of labels up to `label`, which
#: is NULL for none, all before `next`. Epoch seconds; see `store.sqlite_rollups`.
rolled_up = sa.Table(
    "rolled_up",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("edge", sa.BigInteger, nullable=False),
    sa.Column("next", sa.BigInteger, nullable=False),
    sa.Column("label", sa.Text),
    sqlite_with_rowid=False,
)


@sa.event.listens_for(rolled_up, "after_create")
def _begin_rolling_up(_: object, connection: sa.Connection, **__: object) -> None:
    """No minute is over."""
    connection.exec_driver_sql("INSERT INTO rolled_up VALUES ('task', 0, 0, NULL), ('worker', 0, 0, NULL)")


#: How many task rows have this state, name and worker ("" for none); exact after every transaction.
facets = sa.Table(
    "facets",
    metadata,
    sa.Column("state", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("worker", sa.Text, primary_key=True),
    sa.Column("n", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: AUTOINCREMENT: an id is never given twice, even after every row was pruned.
feed = sa.Table(
    "feed",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("time", sa.Double, nullable=False),
    #: msgpack list of uuids, NULL for "many".
    sa.Column("tasks", sa.LargeBinary),
    #: msgpack list of hostnames.
    sa.Column("workers", sa.LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

gaps = sa.Table(
    "gaps",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("start", sa.Double, nullable=False),
    sa.Column("end", sa.Double),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("lossy", sa.Boolean, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)

#: Up to when finished tasks were taken by retention, by their last change; and the time that it went by last. Epoch
#: seconds, as text.
TAKEN, PRUNED = "taken", "pruned"

#: Single values: "status" is the collector's, as JSON; "history" is random and tells this history from all others.
meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)


@sa.event.listens_for(meta, "after_create")
def _begin(_: object, connection: sa.Connection, **__: object) -> None:
    """Which history this is: a search index of another one is known by it."""
    connection.exec_driver_sql("INSERT INTO meta VALUES ('history', lower(hex(randomblob(16))))")


#: Queues that were seen once: they are shown while no worker runs, too.
queues = sa.Table(
    "queues",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("first_seen", sa.Double, nullable=False),
    sa.Column("last_seen", sa.Double, nullable=False),
    sqlite_with_rowid=False,
)


def _figure(name: str) -> list[sa.Column[float]]:
    """The columns of one of `model.queue.FIGURES`; NULL where nothing was known of it."""
    stats = [sa.Column(f"{name}_{stat}", sa.Double) for stat in ("last", "min", "max", "mean")]
    #: The seconds that the mean stands for.
    return [*stats, sa.Column(f"{name}_seconds", sa.Double, nullable=False)]


#: Figures of queues by time buckets, as `rollups` has those of tasks.
queue_rollups = sa.Table(
    "queue_rollups",
    metadata,
    sa.Column("span", sa.Integer, primary_key=True),
    sa.Column("queue", sa.Text, primary_key=True),
    sa.Column("start", sa.BigInteger, primary_key=True),
    *_figure("messages"),
    *_figure("unacked"),
    *_figure("consumers"),
    *_figure("oldest"),
    sqlite_with_rowid=False,
)
sa.Index("queue_rollups_start", queue_rollups.c.span, queue_rollups.c.start)

task_types = sa.Table(
    "task_types",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sqlite_with_rowid=False,
)

HISTORY = Schema(metadata, SCHEMA_VERSION, "umbel.store:migrations")
