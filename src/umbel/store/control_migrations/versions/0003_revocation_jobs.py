"""Bulk revocations: which tasks each was previewed for, and what came of each of them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Two tables."""
    op.create_table(
        "revocation_jobs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("broker", sa.Text, nullable=False),
        sa.Column("server", sa.Integer, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("started", sa.Double),
        sa.Column("ended", sa.Double),
        sa.Column("who", sa.Text),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("asked", sa.Text, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("left_out", sa.Text, nullable=False),
        sa.Column("terminate", sa.Integer, nullable=False),
        sa.Column("signal", sa.Text, nullable=False),
        sa.Column("command", sa.Integer),
        sa.Column("silent", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "revocation_items",
        sa.Column("job", sa.Integer, nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("uuid", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("state", sa.Text),
        sa.Column("began", sa.Double),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("job", "n"),
    )
    op.create_index("revocation_outcome", "revocation_items", ["job", "outcome", "n"])
