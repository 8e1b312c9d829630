"""How much of a file is looked at: limits that mean something."""

from __future__ import annotations

from dataclasses import fields

import pytest

from tightship.errors import InvalidOptions
from tightship.media.limits import Limits


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
def test_a_limit_that_allows_nothing_or_everything_is_refused(name: str, value: float) -> None:
    """Every limit is a positive, finite number; the refusal names it and the value."""
    with pytest.raises(InvalidOptions, match=rf"{name} must be more than 0, not {value}"):
        Limits(**{name: value})


def test_limits_travel_as_json() -> None:
    """What was written can be read back, and what a newer version added is left out."""
    limits = Limits(max_streams=3)

    assert Limits.from_dict({**limits.to_dict(), "max_dimensions": 11}) == limits
