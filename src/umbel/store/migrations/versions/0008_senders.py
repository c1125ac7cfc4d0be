"""Who sent events, and when last: what is kept of a sender goes when it has been silent for long."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Nobody noted when senders were heard of so far: all of them were now."""
    op.create_table(
        "senders",
        sa.Column("hostname", sa.Text, primary_key=True),
        sa.Column("last_seen", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("senders_last_seen", "senders", ["last_seen"])
    op.execute(
        "INSERT INTO senders SELECT DISTINCT worker, CAST(strftime('%s', 'now') AS REAL) FROM counters"
    )
