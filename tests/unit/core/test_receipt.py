"""Receipts as plain JSON, of this version and of older ones."""

from __future__ import annotations

import json

from tightship.core.receipt import Receipt

FULL = Receipt("gif", "attempt", "ok", None, 1.0, peak_bytes=5, released=("a file",), slot=3, size_bytes=7)


def test_a_receipt_survives_its_way_through_json() -> None:
    """What was written is read back as it was."""
    assert Receipt.from_dict(json.loads(json.dumps(FULL.to_dict()))) == FULL


def test_a_receipt_that_an_older_version_stored_still_loads() -> None:
    """What it did not know is not measured."""
    older = {name: value for name, value in FULL.to_dict().items() if name not in ("slot", "size_bytes")}

    receipt = Receipt.from_dict(older)

    assert (receipt.slot, receipt.size_bytes, receipt.peak_bytes) == (None, None, 5)
