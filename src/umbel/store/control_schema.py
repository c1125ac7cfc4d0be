"""The tables of `control.sqlite3`, as SQLAlchemy Core sees them; the migrations build the same ones.

`tests/contract/test_store_schema.py` holds both together. Used by `store.control_file` and `store.audit`.
"""

import sqlalchemy as sa

from umbel.store.migrate import Schema

#: The newest migration in `control_migrations/versions`.
CONTROL_VERSION = "0003"

control_metadata = sa.MetaData()

#: One row a command: made before it is sent, completed with what came of it.
audit = sa.Table(
    "audit",
    control_metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    #: Epoch seconds UTC: when it was written, and when its outcome was known.
    sa.Column("time", sa.Double, nullable=False),
    sa.Column("ended", sa.Double),
    #: What tells brokers apart (`store.place.broker_identity`): several histories may share a folder.
    sa.Column("broker", sa.Text, nullable=False),
    #: Name of the one who asked, NULL where nobody had to log in, and how they did.
    sa.Column("who", sa.Text),
    sa.Column("login", sa.Text, nullable=False),
    #: Network address they asked from; "" for a unix socket.
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    #: JSON object, secrets masked.
    sa.Column("parameters", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    #: JSON object: who confirmed, who refused and why, who was silent; NULL as long as nothing is known.
    sa.Column("answers", sa.Text),
    sqlite_autoincrement=True,
)

sa.Index("audit_target", audit.c.broker, audit.c.target, audit.c.id)

#: One row a command whose outcome is not known yet: which server waits for it. What a killed server leaves here is
#: told from what a living one waits for by the server's lock (`control_file.ControlFile.slot`).
under_way = sa.Table(
    "under_way",
    control_metadata,
    #: `audit.id`.
    sa.Column("command", sa.Integer, primary_key=True),
    #: The server's number, NOBODY where it has none.
    sa.Column("server", sa.Integer, nullable=False),
)

#: One row a bulk revocation, from its preview on.
revocation_jobs = sa.Table(
    "revocation_jobs",
    control_metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("broker", sa.Text, nullable=False),
    #: Of the server that does it, as in `under_way`.
    sa.Column("server", sa.Integer, nullable=False),
    #: Epoch seconds UTC: the preview, the start, and when the last task was judged first.
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("started", sa.Double),
    sa.Column("ended", sa.Double),
    sa.Column("who", sa.Text),
    sa.Column("address", sa.Text, nullable=False),
    #: "preview" | "running" | "done" | "stopped" | "failed" | "interrupted"
    sa.Column("state", sa.Text, nullable=False),
    #: JSON object: the filter, or how many ids were given.
    sa.Column("asked", sa.Text, nullable=False),
    #: Tasks in `revocation_items`.
    sa.Column("total", sa.Integer, nullable=False),
    #: JSON object: state -> tasks that are out of it because they have ended.
    sa.Column("left_out", sa.Text, nullable=False),
    sa.Column("terminate", sa.Integer, nullable=False),
    sa.Column("signal", sa.Text, nullable=False),
    #: `audit.id`, once it was started.
    sa.Column("command", sa.Integer),
    #: JSON list: workers that did not confirm.
    sa.Column("silent", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)

#: One row a previewed task; it ends in exactly one outcome.
revocation_items = sa.Table(
    "revocation_items",
    control_metadata,
    sa.Column("job", sa.Integer, nullable=False),
    #: From 0, in the order in which they are told.
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("uuid", sa.Text, nullable=False),
    #: As previewed; NULL where the history does not know the task.
    sa.Column("name", sa.Text),
    sa.Column("state", sa.Text),
    #: When its latest run had begun then, epoch seconds UTC.
    sa.Column("began", sa.Double),
    #: `control.revocation.OUTCOMES`
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.PrimaryKeyConstraint("job", "n"),
)

sa.Index("revocation_outcome", revocation_items.c.job, revocation_items.c.outcome, revocation_items.c.n)

#: The number of a server that could not take one.
NOBODY = -1

CONTROL = Schema(control_metadata, CONTROL_VERSION, "umbel.store:control_migrations")
