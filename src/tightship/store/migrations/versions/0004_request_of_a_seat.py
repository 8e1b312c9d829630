"""What makes a request is known when its input has been read, and no sooner."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Drop the guess at it that a seat had."""
    op.drop_column("seats", "request_hash")
