"""Which way up a picture is shown."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tightship.media.geometry import displayed_size
from tightship.media.rotation import clockwise_deg, parse_rotations


def test_the_matrix_belongs_to_the_stream_above_it() -> None:
    """Each stream has its own; streams that are not turned are left out."""
    lines = [
        "  Stream #0:0[0x1](und): Video: h264",
        "      Display Matrix: rotation of -90.00 degrees",
        "  Stream #0:1[0x2]: Audio: aac",
        "  Stream #0:2[0x3](und): Video: h264",
        "      Display Matrix: rotation of 0.00 degrees",
    ]
    assert parse_rotations(lines) == {0: 90.0}


def test_a_tag_of_that_name_turns_nothing() -> None:
    """FFmpeg pads the names of tags, so what people write cannot pass for a matrix."""
    lines = ["  Stream #0:0: Video: h264", "      Display Matrix  : rotation of -90.00 degrees"]
    assert parse_rotations(lines) == {}


@pytest.mark.parametrize(
    ("counter_clockwise", "clockwise"), [(-90, 90), (90, 270), (180, 180), (-180, 180), (0, 0), (-89.6, 90), (-45, 45)]
)
def test_angles_are_counted_clockwise(counter_clockwise: float, clockwise: float) -> None:
    """As people and other tools say it: a phone held upright gives 90."""
    assert clockwise_deg(counter_clockwise) == clockwise


def test_absurd_sample_aspects_are_not_believed() -> None:
    """A pixel a thousand times as wide as high would make a picture no memory holds."""
    assert displayed_size(320, 180, Fraction(1000), 0) == (320, 180)
