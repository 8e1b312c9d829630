"""A few pixels that stand for a frame: enough to tell scenes apart and transparent pictures from opaque ones."""

from __future__ import annotations

from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

#: Pixels on a side. 256 pixels are compared in 50 us and still show where on the screen something changed.
SIDE_PX = 16


class Thumbnails:
    """Make thumbnails with one scaler that is kept: building it costs more than using it."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def of(self, frame: VideoFrame) -> bytes:
        """Return the thumbnail as BGRA, four bytes a pixel."""
        small = self._reformatter.reformat(frame, SIDE_PX, SIDE_PX, "bgra", interpolation="AREA", threads=1)
        plane = small.planes[0]
        data = bytes(plane)
        return b"".join(data[row * plane.line_size :][: 4 * SIDE_PX] for row in range(SIDE_PX))


def difference(one: bytes, other: bytes) -> float:
    """Return the mean absolute difference of two thumbnails' colours, from 0 to 255."""
    colors = len(one) // 4 * 3
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / colors


def is_opaque(thumbnail: bytes) -> bool:
    """Tell whether no pixel lets anything through."""
    return not thumbnail[3::4].strip(b"\xff")
