"""Make GIFs the way an operation does, and look at them the way a browser does."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tightship.media.gif import GifOptions, GifSummary, write_gif


@dataclass
class Conversion:
    """Convert with recorded progress and warnings."""

    stop_after: int | None = None
    warnings: list[str] = field(default_factory=list)
    progress: list[tuple[float, float | None]] = field(default_factory=list)

    def run(self, source: Path, target: Path, options: GifOptions, max_frames: int | None = None) -> GifSummary:
        with open_video(source) as (container, stream):
            return write_gif(container, stream, target, options, self._checkpoint, self._warn, max_frames)

    def _checkpoint(self, done: float, total: float | None, unit: str) -> bool:
        self.progress.append((done, total))
        return self.stop_after is not None and len(self.progress) > self.stop_after

    def _warn(self, code: str, message: str) -> None:
        self.warnings.append(code)


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file that is trusted."""
    with av.open(str(path)) as container:
        yield container, container.streams.video[0]


def shown(path: Path) -> list[np.ndarray]:
    """Return the pictures of a GIF as displayed, as RGBA."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgba") for frame in container.decode(video=0)]


@dataclass(frozen=True)
class Image:
    """One image block of a GIF file."""

    delay_cs: int
    disposal: int
    transparent: bool
    area: tuple[int, int, int, int]
    colors: int


def images(data: bytes) -> list[Image]:
    """Read the image blocks of a GIF file, byte by byte as the specification says."""
    found, control = [], (0, 0)
    at = 13 + table_bytes(data[10])
    while data[at] != 0x3B:
        if data[at] == 0x21:
            if data[at + 1] == 0xF9:
                control = (data[at + 3], int.from_bytes(data[at + 4 : at + 6], "little"))
            at = _after_blocks(data, at + 2)
            continue
        assert data[at] == 0x2C
        area = tuple(int.from_bytes(data[at + k : at + k + 2], "little") for k in (1, 3, 5, 7))
        table = table_bytes(data[at + 9])
        colors = (table or table_bytes(data[10])) // 3
        found.append(Image(control[1], control[0] >> 2 & 7, bool(control[0] & 1), area, colors))
        at = _after_blocks(data, at + 10 + table + 1)
    assert at == len(data) - 1
    return found


def table_bytes(flags: int) -> int:
    """Return the bytes of the colour table that the flags of a header or an image announce."""
    return 3 * (2 << (flags & 7)) if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    while data[at]:
        at += data[at] + 1
    return at + 1


def solid(width: int, height: int, color: tuple[int, int, int, int]) -> VideoFrame:
    """Return a BGRA frame of one colour, given as red, green, blue, alpha."""
    return VideoFrame.from_ndarray(np.full((height, width, 4), color, np.uint8), format="rgba").reformat(format="bgra")


def noise(width: int, height: int, seed: int) -> VideoFrame:
    """Return an opaque BGRA frame of random colours."""
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    image[..., 3] = 255
    return VideoFrame.from_ndarray(image, format="rgba").reformat(format="bgra")


def write_frames(path: Path, arrays: list[np.ndarray], codec: str, form: str, rate: int = 10) -> Path:
    """Store pictures losslessly, runs of one size only."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=rate)
        stream.height, stream.width = arrays[0].shape[:2]
        stream.pix_fmt = form
        source = "rgba" if arrays[0].shape[2] == 4 else "rgb24"
        for number, array in enumerate(arrays):
            frame = VideoFrame.from_ndarray(array, format=source)
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def running_delays(data: bytes) -> list[int]:
    """Return when each image of a GIF file leaves the screen, in hundredths of a second."""
    return list(itertools.accumulate(image.delay_cs for image in images(data)))
