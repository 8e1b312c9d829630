"""What somebody asks for, and the id it is given."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from tightship.errors import InvalidOptions
from tightship.store.intake import new_id
from tightship.store.request import Request

REQUEST = Request("gif", {"width": 320}, 7)


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_attempts", 0), ("max_attempts", 10**6), ("content_bytes", -1), ("idempotency_key", "k" * 1000)],
)
def test_request_out_of_range_is_refused(name: str, value: Any) -> None:
    """Before anything is written."""
    with pytest.raises(InvalidOptions):
        replace(REQUEST, **{name: value})


def test_ids_sort_by_time() -> None:
    """They are UUIDs of version 7."""
    ids = [new_id(1_700_000_000.0 + number / 100) for number in range(50)]

    assert ids == sorted(ids)
    assert {uuid.UUID(each).version for each in ids} == {7}
    assert {uuid.UUID(each).variant for each in ids} == {uuid.RFC_4122}


def test_ids_of_one_moment_differ() -> None:
    """Two jobs may come in the same millisecond."""
    assert len({new_id(1_700_000_000.0) for _ in range(1000)}) == 1000
