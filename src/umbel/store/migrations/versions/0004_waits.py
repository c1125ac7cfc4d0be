"""How long tasks waited until they were started."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Begins empty: totals count from here on."""
    op.create_table(
        "waits",
        sa.Column("bounds", sa.Text, primary_key=True),
        sa.Column("basis", sa.Text, primary_key=True),
        sa.Column("task", sa.Text, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
