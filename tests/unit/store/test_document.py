"""JSON of a bounded size."""

from __future__ import annotations

import json

import pytest

from tightship.core.receipt import Receipt
from tightship.errors import CorruptMedia, InvalidOptions, OutputTooLarge, from_dict
from tightship.store.document import ENTRIES, TEXT_CHARS, encode, encode_error, encode_options, encode_receipt
from tightship.store.document import encode_warnings as warnings_json


def test_what_is_too_long_is_refused() -> None:
    """The error tells both lengths."""
    with pytest.raises(OutputTooLarge) as refusal:
        encode({"text": "x" * 100}, 50, "the result")
    assert refusal.value.details == {"size_bytes": 111, "limit_bytes": 50}


def test_options_in_any_order_are_the_same() -> None:
    """Two requests for the same are told by their text."""
    assert encode_options({"b": 1, "a": 2}) == encode_options({"a": 2, "b": 1})


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
def test_options_that_are_no_json_are_refused(value: object) -> None:
    """They could not be read back."""
    with pytest.raises(InvalidOptions):
        encode_options({"width": value})


def test_long_error_is_cut() -> None:
    """It stays the same error, with as much of its text as is kept."""
    error = CorruptMedia("m" * 10_000, name="n" * 10_000, **{f"d{number}": number for number in range(200)})

    back = from_dict(json.loads(encode_error(error)))

    assert type(back) is CorruptMedia
    assert back.public_message == "m" * TEXT_CHARS
    assert len(back.details) == ENTRIES
    assert back.details["name"] == "n" * TEXT_CHARS


def test_long_receipt_is_cut() -> None:
    """Its figures all stay, its lists as far as they are kept."""
    receipt = Receipt("gif", "attempt", "ok", None, 1.0, peak_bytes=5, released=("r" * 1000,) * 1000)

    back = Receipt.from_dict(json.loads(encode_receipt(receipt)))

    assert back.peak_bytes == 5
    assert back.released == ("r" * TEXT_CHARS,) * ENTRIES


def test_many_warnings_are_cut() -> None:
    """The first ones stay."""
    kept = json.loads(warnings_json([{"code": str(number), "message": "m" * 1000} for number in range(100)]))

    assert [warning["code"] for warning in kept] == [str(number) for number in range(ENTRIES)]
    assert kept[0]["message"] == "m" * TEXT_CHARS
