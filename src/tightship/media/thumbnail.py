"""A few pixels that stand for a frame: enough to tell scenes apart and transparent pictures from opaque ones."""

from __future__ import annotations

from collections.abc import Iterator

from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

#: Pixels on a side. 64 pixels are compared in 15 us and still show where on the screen something changed.
SIDE_PX = 8


class Thumbnails:
    """Make thumbnails with one scaler that is kept: building it costs more than using it."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def shrink(self, frame: VideoFrame) -> VideoFrame:
        """Return the thumbnail as a BGRA frame; it keeps the side data."""
        return self._reformatter.reformat(frame, SIDE_PX, SIDE_PX, "bgra", interpolation="AREA", threads=1)

    def of(self, frame: VideoFrame) -> bytes:
        """Return the thumbnail's pixels."""
        return pixels(self.shrink(frame))


def lines(frame: VideoFrame) -> Iterator[bytes]:
    """Yield the pixels of each line of a frame of one plane, without the padding behind them."""
    plane = frame.planes[0]
    view, line_bytes = memoryview(plane), frame.width * frame.format.padded_bits_per_pixel // 8
    for start in range(0, frame.height * plane.line_size, plane.line_size):
        yield bytes(view[start : start + line_bytes])


def pixels(frame: VideoFrame) -> bytes:
    """Return the pixels of a frame of one plane."""
    return b"".join(lines(frame))


def difference(one: bytes, other: bytes) -> float:
    """Return the mean absolute difference of two thumbnails' colours, from 0 to 255."""
    colors = len(one) // 4 * 3
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / colors


def is_opaque(thumbnail: bytes) -> bool:
    """Tell whether no pixel lets anything through."""
    return not thumbnail[3::4].strip(b"\xff")
