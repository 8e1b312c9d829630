"""An index holds only the rows that are looked for by it: each write of a job touches fewer pages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

#: Table, columns and condition of each.
_INDEXES = {
    "jobs_by_end": ("jobs", ["finished_s"], "finished_s IS NOT NULL"),
    "jobs_to_empty": ("jobs", ["finished_s"], "emptied IS 0 AND finished_s IS NOT NULL"),
    "jobs_by_source": ("jobs", ["source_digest"], "source_digest IS NOT NULL"),
    "jobs_by_result": ("jobs", ["result_digest"], "result_digest IS NOT NULL"),
    "jobs_by_attendance": ("jobs", ["attended_until_s"], "attended_until_s IS NOT NULL"),
    "attempts_by_operation": ("attempts", ["operation", "outcome", "finished_s"], "outcome IS NOT NULL"),
}


def upgrade() -> None:
    """Make these indexes anew."""
    for name, (table, columns, condition) in _INDEXES.items():
        op.drop_index(name, table)
        op.create_index(name, table, columns, sqlite_where=sa.text(condition))
