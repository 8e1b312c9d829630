"""Where a word begins and ends, by the voice that was heard."""

from __future__ import annotations

import pytest

from tightship.inference.timing import fitted
from tightship.inference.window import CHUNK_S


def voiced(*seconds: float) -> list[bool]:
    """Return chunks of voice and silence in turn, of these lengths."""
    return [number % 2 == 0 for number, length_s in enumerate(seconds) for _ in range(round(length_s / CHUNK_S))]


@pytest.mark.parametrize(
    ("seen", "before_s", "heard", "expected"),
    [
        ((0.0, 2.0), 0.0, voiced(0, 1.6, 1), (1.6, 2.0)),
        ((1.0, 3.0), 1.0, voiced(1.2, 1.4, 1), (2.6, 3.0)),
        ((1.0, 3.0), 1.0, voiced(1.5, 3), (1.0, 1.5)),
        ((1.0, 2.0), 1.0, voiced(1.5, 0.16, 1), (1.0, 2.0)),
        ((1.2, 1.2), 0.7, voiced(2), (0.7, 1.2)),
        ((1.2, 1.4), 0.2, voiced(0.6, 0.4, 1), (1.0, 1.4)),
        ((6.0, 6.2), 0.2, voiced(8), (6.0, 6.2)),
        ((1.0, 1.1), 0.2, voiced(0.9, 2), (1.0, 1.1)),
        ((1.0, 2.0), 0.2, [], (1.0, 2.0)),
        ((1.0, 2.0), 0.2, voiced(0, 4), (1.0, 2.0)),
    ],
    ids=[
        "the silence before it is not the word",
        "after a pause it begins behind the pause",
        "before a pause it ends there",
        "a breath is no pause",
        "a word of no length takes the voice before it",
        "its voice begins earlier",
        "a voice that was left out is not its own",
        "the voice of the word before is not its own",
        "nothing is known of voices",
        "nobody spoke",
    ],
)
def test_a_word_is_where_its_voice_is(
    seen: tuple[float, float], before_s: float, heard: list[bool], expected: tuple[float, float]
) -> None:
    """Neither a pause nor the comma before it moves a word."""
    assert fitted(*seen, before_s, heard) == pytest.approx(expected, abs=CHUNK_S)
