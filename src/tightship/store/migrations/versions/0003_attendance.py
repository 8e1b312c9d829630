"""Jobs that somebody waits for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add whether somebody waits for a job, and until when that is known."""
    op.add_column("seats", sa.Column("attended", sa.Boolean(), nullable=True))
    op.add_column("jobs", sa.Column("attended", sa.Boolean(), nullable=True))
    op.add_column("jobs", sa.Column("attended_until_s", sa.Double(), nullable=True))
    op.create_index("jobs_by_attendance", "jobs", ["attended_until_s"])
