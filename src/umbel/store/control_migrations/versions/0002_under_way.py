"""Which server waits for the outcome of which command, so that those of a killed one can be told."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Rows without outcome are of servers that had no number."""
    op.create_table(
        "under_way",
        sa.Column("command", sa.Integer, primary_key=True),
        sa.Column("server", sa.Integer, nullable=False),
    )
    op.execute("INSERT INTO under_way SELECT id, -1 FROM audit WHERE outcome = 'requested' AND ended IS NULL")
