"""The figures of queues over time."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Begins empty: nobody wrote down how long queues were."""
    op.create_table(
        "queue_rollups",
        sa.Column("span", sa.Integer, primary_key=True),
        sa.Column("queue", sa.Text, primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True),
        *_figure("messages"),
        *_figure("unacked"),
        *_figure("consumers"),
        *_figure("oldest"),
        sqlite_with_rowid=False,
    )
    op.create_index("queue_rollups_start", "queue_rollups", ["span", "start"])


def _figure(name: str) -> list[sa.Column[float]]:
    stats = [sa.Column(f"{name}_{stat}", sa.Double) for stat in ("last", "min", "max", "mean")]
    return [*stats, sa.Column(f"{name}_seconds", sa.Double, nullable=False)]
