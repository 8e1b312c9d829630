"""Receipts as plain JSON, of this version and of older ones."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tightship.core.opening import Opening
from tightship.core.receipt import Receipt

FULL = Receipt("gif", "attempt", "ok", None, 1.0, peak_bytes=5, released=("a file",), slot=3, size_bytes=7)
LOADED = replace(FULL, opening=Opening(0.8, 10, 200, 300, 1000, 1500))


def test_a_receipt_survives_its_way_through_json() -> None:
    """What was written is read back as it was."""
    for receipt in (FULL, LOADED):
        assert Receipt.from_dict(json.loads(json.dumps(receipt.to_dict()))) == receipt


def test_what_a_newer_version_knows_of_an_opening_is_left_out() -> None:
    """The figures that are known stay; nonsense in them is an error."""
    told = LOADED.to_dict()
    told["opening"]["colour"] = "red"
    assert Receipt.from_dict(told) == LOADED

    told["opening"]["took_s"] = "long"
    with pytest.raises(ValueError, match="took_s"):
        Receipt.from_dict(told)


def test_a_receipt_that_an_older_version_stored_still_loads() -> None:
    """What it did not know is not measured."""
    older = {name: value for name, value in FULL.to_dict().items() if name not in ("slot", "size_bytes")}

    receipt = Receipt.from_dict(older)

    assert (receipt.slot, receipt.size_bytes, receipt.peak_bytes) == (None, None, 5)
