"""The first schema of `control.sqlite3`: the audit."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """From nothing."""
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("ended", sa.Double),
        sa.Column("broker", sa.Text, nullable=False),
        sa.Column("who", sa.Text),
        sa.Column("login", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("parameters", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("answers", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_target", "audit", ["broker", "target", "id"])
