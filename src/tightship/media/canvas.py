"""Put decoded frames of any size, shape and format onto one canvas."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

from av.error import FFmpegError
from av.filter import Graph
from av.sidedata.sidedata import SideData
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from tightship.errors import UnsupportedMedia
from tightship.media.geometry import believable_aspect
from tightship.media.thumbnail import Thumbnails, is_opaque, pixels

#: Pixels on a side at most: GIF's own limit is 65535, and no browser shows more than this.
MAX_SIDE_PX = 16_384

#: FFmpeg filters that undo a display matrix, by the signs of its entries a, b, c, d (x' = ax + cy, y' = bx + dy).
_TURNS: dict[tuple[int, int, int, int], tuple[tuple[str, str], ...]] = {
    (1, 0, 0, 1): (),
    (-1, 0, 0, -1): (("hflip", ""), ("vflip", "")),
    (-1, 0, 0, 1): (("hflip", ""),),
    (1, 0, 0, -1): (("vflip", ""),),
    (0, 1, -1, 0): (("transpose", "clock"),),
    (0, -1, 1, 0): (("transpose", "cclock"),),
    (0, 1, 1, 0): (("transpose", "cclock_flip"),),
    (0, -1, -1, 0): (("transpose", "clock_flip"),),
}


def fit(source_width: int, source_height: int, width: int | None, height: int | None) -> tuple[int, int]:
    """Return the largest size of the source's shape inside the box; never larger than the source.

    Args:
        source_width, source_height: The picture as a viewer sees it, in square pixels.
        width, height: The box; None leaves a side free.
    """
    wide = min(width or MAX_SIDE_PX, MAX_SIDE_PX, source_width)
    high = min(height or MAX_SIDE_PX, MAX_SIDE_PX, source_height)
    scale = min(Fraction(wide, source_width), Fraction(high, source_height))
    return max(1, round(source_width * scale)), max(1, round(source_height * scale))


def turn_of(frame: VideoFrame) -> tuple[tuple[str, str], ...]:
    """Return the filters that show the frame upright; none for angles that are no multiple of 90 degrees."""
    side = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(side, SideData) or side.buffer_size != 36:
        return ()
    matrix = struct.unpack("=9i", bytes(side))
    entries = (matrix[0], matrix[1], matrix[3], matrix[4])
    a, b, c, d = (round(entry / 65536) for entry in entries)
    return _TURNS.get((a, b, c, d), ())


def has_alpha(pixel_format: str) -> bool:
    """Tell whether a pixel format can hold transparency."""
    form = VideoFormat(pixel_format)
    return form.has_palette or any(component.is_alpha for component in form.components)


@dataclass(frozen=True)
class _Shape:
    """What of a frame decides how it is brought onto the canvas."""

    width: int
    height: int
    pixel_format: str
    colorspace: int
    color_range: int


class Canvas:
    """Scale and turn frames in one filter graph, rebuilt only when the source changes shape, and pack them as BGR.

    The first frame fixes the size and whether anything is transparent; a later one of another shape is fitted inside,
    on black. They are packed as small as they can be, because a window of them is held: 24 bits a pixel, 32 where
    anything is transparent, outside the graph, whose buffers are rounded up and are not given back.

    Args:
        width, height: Box to fit into, see `fit`.
        aspect: Sample aspect ratio of the source.
        scaler: Flags of FFmpeg's scaler.
    """

    def __init__(self, width: int | None, height: int | None, aspect: Fraction | None, scaler: str) -> None:
        self.size: tuple[int, int] | None = None
        self.transparent = False
        self._box = (width, height)
        self._aspect = believable_aspect(aspect)
        self._scaler = scaler
        self._shape: _Shape | None = None
        self._turn: tuple[tuple[str, str], ...] | None = None
        self._graph = Graph()
        self._packer = VideoReformatter()

    def place(self, frame: VideoFrame) -> VideoFrame:
        """Return the frame on the canvas, as `bgr24`, or as `bgra` where anything is transparent.

        Raises:
            UnsupportedMedia: The scaler does not know the frame's pixel format.
        """
        if self._turn is None:
            self._look(frame)
        shape = _Shape(frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
        if shape != self._shape:
            self._graph, self._shape = self._build(shape), shape
        frame.pts = None
        self._graph.vpush(frame)
        return self._packer.reformat(self._graph.vpull(), format=self._format, threads=1)

    @property
    def _format(self) -> str:
        return "bgra" if self.transparent else "bgr24"

    def _look(self, frame: VideoFrame) -> None:
        # A small copy, because side data and its frame refer to each other and stay until garbage is collected.
        small = Thumbnails().shrink(frame)
        self._turn = turn_of(small)
        self.transparent = has_alpha(frame.format.name) and not is_opaque(pixels(small))

    def _build(self, shape: _Shape) -> Graph:
        graph = Graph()
        graph.threads = 1
        try:
            nodes = [graph.add(name, args) if args else graph.add(name) for name, args in self._chain(shape)]
            graph.link_nodes(*nodes).configure(auto_buffer=False)
        except (FFmpegError, ValueError) as error:
            raise UnsupportedMedia(f"Pictures in the format {shape.pixel_format} cannot be converted.") from error
        return graph

    def _between(self, pixel_format: str) -> str:
        """Return the format in which frames are turned and padded.

        Scaled to 4:4:4 first, every pixel keeps a colour of its own at half the price of asking the scaler for that in
        one step (2.2 against 4.0 ms from 1080p to 480 px); straight to BGR, two neighbours share one.
        """
        form = VideoFormat(pixel_format)
        if form.is_rgb or form.has_palette:
            return self._format
        return "yuva444p" if self.transparent and has_alpha(pixel_format) else "yuv444p"

    def _chain(self, shape: _Shape) -> list[tuple[str, str]]:
        turn = self._turn or ()
        quarter = any(name == "transpose" for name, _ in turn)
        seen_width, seen_height = max(1, round(shape.width * self._aspect)), shape.height
        if quarter:
            seen_width, seen_height = seen_height, seen_width
        width, height = fit(seen_width, seen_height, *(self.size or self._box))
        self.size = self.size or (width, height)
        scaled = (height, width) if quarter else (width, height)
        chain = [
            (
                "buffer",
                f"video_size={shape.width}x{shape.height}:pix_fmt={shape.pixel_format}:time_base=1/100"
                f":colorspace={shape.colorspace}:range={shape.color_range}",
            ),
            ("scale", f"{scaled[0]}:{scaled[1]}:flags={self._scaler}"),
            ("format", self._between(shape.pixel_format)),
            *turn,
        ]
        if (width, height) != self.size:
            chain.append(("pad", f"{self.size[0]}:{self.size[1]}:-1:-1:black"))
        return [*chain, ("buffersink", "")]
