"""The names of queues, remembered while no worker runs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Begins with what the stored tasks tell."""
    op.create_table(
        "queues",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("first_seen", sa.Double, nullable=False),
        sa.Column("last_seen", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO queues SELECT queue, min(first_seen), max(updated) FROM tasks "
        "WHERE queue IS NOT NULL GROUP BY queue"
    )
