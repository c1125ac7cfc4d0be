"""The first schema of a history."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """From nothing."""
    _create_tasks()
    _index_tasks()
    _create_beside_tasks()
    _create_sums()
    _create_journal()
    _watch_rewriting()


def _create_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("uuid", sa.Text, nullable=False, unique=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("worker", sa.Text),
        sa.Column("updated", sa.Double, nullable=False),
        sa.Column("finished", sa.Boolean, nullable=False),
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
        sa.Column("root_id", sa.Text),
        sa.Column("parent_id", sa.Text),
        sa.Column("queue", sa.Text),
        sa.Column("exchange", sa.Text),
        sa.Column("routing_key", sa.Text),
        sa.Column("client", sa.Text),
        sa.Column("eta", sa.Text),
        sa.Column("expires", sa.Text),
        sa.Column("marks", sa.LargeBinary, nullable=False),
        sa.Column("args", sa.Text),
        sa.Column("kwargs", sa.Text),
        sa.Column("result", sa.Text),
        sa.Column("exception", sa.Text),
        sa.Column("traceback", sa.Text),
    )


def _index_tasks() -> None:
    op.create_index("tasks_name", "tasks", ["name", "updated"])
    op.create_index("tasks_open", "tasks", ["worker", "updated"], sqlite_where=sa.text("finished = 0"))
    op.create_index("tasks_parent", "tasks", ["parent_id"], sqlite_where=sa.text("parent_id IS NOT NULL"))
    op.create_index("tasks_received", "tasks", ["received"])
    op.create_index("tasks_root", "tasks", ["root_id"], sqlite_where=sa.text("root_id <> ''"))
    op.create_index("tasks_runtime", "tasks", ["runtime"])
    op.create_index("tasks_started", "tasks", ["started"])
    op.create_index("tasks_state", "tasks", ["state", "updated"])
    op.create_index("tasks_updated", "tasks", ["updated"])
    op.create_index("tasks_worker", "tasks", ["worker", "updated"])


def _create_beside_tasks() -> None:
    op.create_table(
        "task_errors",
        sa.Column("uuid", sa.Text, primary_key=True),
        sa.Column("time", sa.Double, primary_key=True),
        sa.Column("rank", sa.Integer, primary_key=True),
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("exception", sa.Text, nullable=False),
        sa.Column("traceback", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "workers",
        sa.Column("hostname", sa.Text, primary_key=True),
        sa.Column("first_seen", sa.Double, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def _create_sums() -> None:
    op.create_table(
        "counters",
        sa.Column("worker", sa.Text, primary_key=True),
        sa.Column("task", sa.Text, primary_key=True),
        sa.Column("type", sa.Text, primary_key=True),
        sa.Column("n", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "runtimes",
        sa.Column("bounds", sa.Text, primary_key=True),
        sa.Column("worker", sa.Text, primary_key=True),
        sa.Column("task", sa.Text, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollups",
        sa.Column("span", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("label", sa.Text, primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("rollups_start", "rollups", ["span", "kind", "start"])
    op.create_table(
        "facets",
        sa.Column("state", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("worker", sa.Text, primary_key=True),
        sa.Column("n", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _create_journal() -> None:
    op.create_table(
        "feed",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("tasks", sa.LargeBinary),
        sa.Column("workers", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "gaps",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("start", sa.Double, nullable=False),
        sa.Column("end", sa.Double),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("lossy", sa.Boolean, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "task_types",
        sa.Column("name", sa.Text, primary_key=True),
        sqlite_with_rowid=False,
    )


def _watch_rewriting() -> None:
    op.create_table(
        "rewritten",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("freed", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    op.execute(
        "CREATE TRIGGER tasks_rewritten AFTER UPDATE ON tasks WHEN old.finished AND (NOT new.finished "
        "OR old.args IS NOT new.args OR old.kwargs IS NOT new.kwargs OR old.result IS NOT new.result) "
        "BEGIN INSERT INTO rewritten (id, freed) VALUES (old.id, 0); END"
    )
    op.execute(
        "CREATE TRIGGER tasks_freed AFTER DELETE ON tasks WHEN old.id > (SELECT coalesce(max(id), 0) FROM tasks) "
        "BEGIN INSERT INTO rewritten (id, freed) SELECT coalesce(max(id), 0) + 1, 1 FROM tasks; END"
    )
    op.execute("INSERT INTO meta VALUES ('history', lower(hex(randomblob(16))))")
