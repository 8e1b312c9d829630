"""From the picture as stored to the picture as seen."""

from __future__ import annotations

from fractions import Fraction

#: Widest sample aspect ratio believed, either way. Anamorphic film is 2:1; more is a broken header.
MAX_SAMPLE_ASPECT = 8


def believable_aspect(ratio: Fraction | None) -> Fraction:
    """Return the sample aspect ratio, or 1 where it is missing or absurd."""
    if ratio is None or ratio <= 0 or not Fraction(1, MAX_SAMPLE_ASPECT) <= ratio <= MAX_SAMPLE_ASPECT:
        return Fraction(1)
    return ratio


def displayed_size(
    coded_width: int, coded_height: int, aspect: Fraction | None, rotation_deg: float
) -> tuple[int, int]:
    """Return width and height, in square pixels, of the picture as a viewer sees it.

    Args:
        coded_width, coded_height: Pixels as stored.
        aspect: Width of a stored pixel over its height.
        rotation_deg: Degrees clockwise by which the stored picture is turned for display.
    """
    width, height = max(1, round(coded_width * believable_aspect(aspect))), coded_height
    return (height, width) if round(rotation_deg / 90) % 2 else (width, height)
