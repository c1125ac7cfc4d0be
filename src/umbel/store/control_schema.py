"""The tables of `control.sqlite3`, as SQLAlchemy Core sees them; the migrations build the same ones.

`tests/contract/test_store_schema.py` holds both together. Used by `store.control_file` and `store.audit`.
"""

import sqlalchemy as sa

#: The newest migration in `control_migrations/versions`.
CONTROL_VERSION = "0002"

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

#: The number of a server that could not take one.
NOBODY = -1
