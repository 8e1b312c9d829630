"""The states of a job."""

from __future__ import annotations

import pytest

from tightship.store.states import RETRIABLE, Status


@pytest.mark.parametrize(
    ("status", "final"),
    [
        ("pending", False),
        ("running", False),
        ("succeeded", True),
        ("failed", True),
        ("cancelled", True),
        ("quarantined", True),
    ],
)
def test_states_where_the_way_ends(status: str, final: bool) -> None:
    """A job waits, runs, or has ended in one of four ways."""
    assert Status(status).final is final


def test_what_has_succeeded_is_not_tried_anew() -> None:
    """All other ends may be."""
    assert {str(status) for status in RETRIABLE} == {"failed", "cancelled", "quarantined"}
