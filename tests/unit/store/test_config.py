"""Settings of the store."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from tightship.errors import InvalidOptions
from tightship.store.config import StoreConfig


@pytest.mark.parametrize(("name", "value"), [("max_pending", 0), ("lease_s", 0), ("result_ttl_s", -1), ("max_rows", 0)])
def test_setting_out_of_range_is_refused(name: str, value: Any) -> None:
    """The message names the setting and its value."""
    with pytest.raises(InvalidOptions, match=f"{name} must be .* not {value}"):
        replace(StoreConfig(), **{name: value})


@pytest.mark.parametrize("name", ["backoff_base_s", "disk_reserve_bytes", "max_passes"])
def test_some_settings_may_be_zero(name: str) -> None:
    """No wait, no reserve, nobody goes ahead."""
    assert getattr(StoreConfig(**{name: 0}), name) == 0


def test_every_setting_is_documented() -> None:
    """A setting without its effect is none."""
    assert StoreConfig.__doc__ is not None
    for field in fields(StoreConfig):
        assert f"        {field.name}: " in StoreConfig.__doc__
