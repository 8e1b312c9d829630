"""How far a stored picture is turned before it is shown."""

from __future__ import annotations

import re
from collections.abc import Iterable

import av
from av.container import InputContainer

_STREAM_LINE = re.compile(r"  Stream #0:(\d+)\b")
# Two blanks between the words and the colon would be a tag of that name, which anybody can write.
_MATRIX_LINE = re.compile(r"\s+display ?matrix: rotation of (-?\d+(?:\.\d+)?) degrees", re.IGNORECASE)


def rotations_deg(container: InputContainer) -> dict[int, float]:
    """Return, by stream index, the degrees *clockwise* by which a player turns the picture; streams at 0 are left out.

    The matrix is in the container's header, where PyAV shows it on decoded frames only (`frame.rotation`, counted
    counter-clockwise); FFmpeg's own description of the file has it for the price of a few microseconds.
    """
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        description: str = container.dumps_format()  # type: ignore[attr-defined]  # public, missing from the stubs
        return parse_rotations(description.splitlines())
    finally:
        av.logging.set_level(level)


def parse_rotations(lines: Iterable[str]) -> dict[int, float]:
    """Read the display matrices out of FFmpeg's description of a file."""
    found: dict[int, float] = {}
    index = -1
    for line in lines:
        if stream := _STREAM_LINE.match(line):
            index = int(stream[1])
        elif (matrix := _MATRIX_LINE.match(line)) and index >= 0:
            found[index] = clockwise_deg(float(matrix[1]))
    return {index: angle for index, angle in found.items() if angle}


def clockwise_deg(counter_clockwise_deg: float) -> float:
    """Turn FFmpeg's counter-clockwise angle into degrees clockwise, from 0 up to 360."""
    angle = -counter_clockwise_deg % 360.0
    nearest = round(angle / 90) * 90 % 360
    return float(nearest) if abs(angle - nearest) < 1 else angle
