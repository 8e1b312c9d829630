"""Fingerprints: what became of files in watched folders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "fingerprints",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("result_digest", sa.Text(), nullable=True),
        sa.Column("former_digest", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("noted_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("source", "place", "request"),
    )
    op.create_index("fingerprints_by_content", "fingerprints", ["digest", "request"], unique=False)
    op.create_index("fingerprints_by_place", "fingerprints", ["place"], unique=False)
    op.create_index("fingerprints_by_age", "fingerprints", ["noted_s"], unique=False)
