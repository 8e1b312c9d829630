"""Nobody asks for the attempts at an operation: what jobs have needed is learnt from the jobs' own receipts."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Drop the index by which they were asked for."""
    op.drop_index("attempts_by_operation", "attempts")
