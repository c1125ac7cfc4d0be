"""A minute goes into its hour and day some labels at a time; `rolled_up` says how far that is.

And `meta` says up to when retention took tasks."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """So far all labels of a minute went at once, and `meta` said up to when."""
    op.create_table(
        "rolled_up",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("edge", sa.BigInteger, nullable=False),
        sa.Column("next", sa.BigInteger, nullable=False),
        sa.Column("label", sa.Text),
        sqlite_with_rowid=False,
    )
    for kind in ("task", "worker"):
        op.execute(
            f"INSERT INTO rolled_up SELECT '{kind}', value, value, NULL "
            "FROM (SELECT CAST(value AS INTEGER) AS value FROM meta WHERE key = 'rolled_up')"
        )
    op.execute("DELETE FROM meta WHERE key = 'rolled_up'")
    # whether any were taken so far nobody noted
    op.execute(
        "INSERT INTO meta SELECT 'taken', CAST(updated AS TEXT) FROM tasks WHERE finished = 1 ORDER BY updated LIMIT 1"
    )
