"""The tables and their indexes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tightship.store.store import Store


@pytest.mark.parametrize(
    ("question", "index"),
    [
        ("SELECT id FROM jobs WHERE finished_s <= ?", "jobs_by_end"),
        ("SELECT id FROM jobs WHERE finished_s IS NOT NULL ORDER BY finished_s DESC", "jobs_by_end"),
        ("SELECT id FROM jobs WHERE emptied IS 0 AND finished_s <= ?", "jobs_to_empty"),
        ("SELECT id FROM jobs WHERE source_digest = ?", "jobs_by_source"),
        ("SELECT id FROM jobs WHERE result_digest = ?", "jobs_by_result"),
        ("SELECT id FROM jobs WHERE attended_until_s <= ?", "jobs_by_attendance"),
    ],
)
def test_index_that_leaves_rows_out_is_used(tmp_path: Path, question: str, index: str) -> None:
    """SQLite takes it only where it sees that no row which is left out is asked for."""
    Store.open(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "tightship.sqlite")) as database:
        plan = database.execute(f"EXPLAIN QUERY PLAN {question}", (None,) * question.count("?")).fetchall()

    assert [index in detail for *_, detail in plan] == [True]
