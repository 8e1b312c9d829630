"""Which piece of the text is next."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightship.http.openai.delta import Deltas


def partial(number: int, text: str) -> dict[str, Any]:
    """Return the partial result of one segment."""
    return {"segment": {"id": number, "text": text, "start": 0.0, "end": 1.0}}


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=40))
def test_what_is_told_is_always_how_the_text_begins(order: list[tuple[int, bool]]) -> None:
    """Whichever events come, twice or not at all."""
    deltas = Deltas()
    told = "".join(deltas.piece(partial(number, f" {number}é.")) for number, _ in order)
    whole = "".join(f" {number}é." for number in range(9)).lstrip()
    assert whole.startswith(told)
    assert deltas.told_bytes == len(told.encode())
    assert deltas.digest == hashlib.sha256(told.encode()).digest()


def test_what_comes_twice_is_told_once() -> None:
    """An attempt that is made anew begins anew."""
    deltas = Deltas()
    told = [deltas.piece(partial(number, f" {number}")) for number in (0, 1, 0, 1, 2)]
    assert told == ["0", " 1", "", "", " 2"]


def test_after_a_gap_nothing_more_is_told() -> None:
    """Later pieces would stand in the wrong place; an attempt anew fills no gap in what was sent."""
    deltas = Deltas()
    assert [deltas.piece(partial(number, f" {number}")) for number in (0, 2, 1, 2)] == ["0", "", "", ""]


@pytest.mark.parametrize(
    "nonsense",
    [{}, {"segment": None}, {"segment": {}}, {"segment": {"id": "0", "text": "a"}}, {"segment": {"id": 0, "text": 1}},
     {"error": {"code": "output_too_large"}}],
)  # fmt: skip
def test_nonsense_is_a_gap(nonsense: dict[str, Any]) -> None:
    """A slot that a stranger's file has taken over may send anything."""
    deltas = Deltas()
    assert deltas.piece(nonsense) == ""
    assert deltas.piece(partial(0, " a")) == ""
