"""Hours and days of `rollups` are brought up to date when a minute is over; `meta` says up to when they are."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """So far every minute is in its hour and day."""
    op.execute(
        "INSERT INTO meta SELECT 'rolled_up', CAST(coalesce(max(start) + 60, 0) AS TEXT) FROM rollups WHERE span = 60"
    )
