"""Healthy videos of moving shapes, every picture of which carries its own number."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

#: Bits of the picture's number, drawn as black and white blocks along the top edge.
INDEX_BITS = 12
SAMPLE_RATE = 48_000
#: Seconds that the tone and the white flash at the start of every second last.
FLASH_S = 0.2


@dataclass(frozen=True)
class Video:
    """What to render; the defaults are a small H.264 with B-frames and a key frame each second.

    Args:
        rotation_deg: Degrees clockwise for display.
        times: Presentation times in ticks of 1/1000 s, for a variable frame rate; None for a constant one.
        audio: Encoder of the sound; None for none.
    """

    width: int = 320
    height: int = 180
    fps: Fraction = Fraction(25)
    seconds: float = 4.0
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    bframes: int = 2
    gop: int = 25
    rotation_deg: float = 0.0
    sample_aspect_ratio: Fraction = Fraction(1)
    times: Sequence[int] | None = None
    audio: str | None = None
    muxer_flags: str = "+faststart"
    offset_s: float = 0.0

    @property
    def frames(self) -> int:
        return len(self.times) if self.times is not None else round(self.seconds * self.fps)

    def time_s(self, index: int) -> float:
        return self.times[index] / 1000 if self.times is not None else float(index / self.fps)


def picture(index: int, time_s: float, width: int, height: int) -> np.ndarray:
    """Return picture `index`: a sliding gradient, a moving square, its number, and a flash at each full second."""
    rows, columns = np.arange(height).astype(np.uint8)[:, None], np.arange(width).astype(np.uint8)
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0] = columns + np.uint8(3 * index % 256)
    image[..., 1] = rows * np.uint8(2) + np.uint8(index % 256)
    image[..., 2] = rows + columns
    side = max(2, height // 4)
    left, top = (7 * index) % max(1, width - side), (5 * index) % max(1, height - side)
    image[top : top + side, left : left + side] = (255, 64, 0)
    if time_s % 1.0 < FLASH_S - 1e-6:
        image[height - height // 4 :, :] = 255
    else:
        image[height - height // 4 :, :] = 0
    block = width // INDEX_BITS
    for bit in range(INDEX_BITS):
        image[: height // 6, bit * block : (bit + 1) * block] = 255 if index >> bit & 1 else 0
    return image


def read_index(image: np.ndarray) -> int:
    """Return the number that a grey or colour picture carries, compressed or not."""
    grey = image if image.ndim == 2 else image.mean(axis=-1)
    height, block = grey.shape[0], grey.shape[1] // INDEX_BITS
    band = grey[height // 24 : height // 8]
    bits = [band[:, bit * block + block // 4 : bit * block + 3 * block // 4].mean() > 128 for bit in range(INDEX_BITS)]
    return sum(1 << at for at, bit in enumerate(bits) if bit)


def is_flash(image: np.ndarray) -> bool:
    """Tell whether a grey picture is one of a flash."""
    return bool(image[-image.shape[0] // 8 :].mean() > 128)


def write_video(path: Path, video: Video = Video()) -> Path:
    """Render `video` to `path`; the ending chooses the container."""
    options = {"movflags": video.muxer_flags} if path.suffix in (".mp4", ".mov") else {}
    with _same_priority(), av.open(str(path), "w", container_options=options) as output:
        stream = _video_stream(output, video)
        sound = _audio_stream(output, video)
        blocks = _tone(video) if sound else iter(())
        block = next(blocks, None)
        for index in range(video.frames):
            frame = av.VideoFrame.from_ndarray(
                picture(index, video.time_s(index), video.width, video.height), format="rgb24"
            )
            ticks = video.times[index] if video.times is not None else index
            frame.time_base = stream.codec_context.time_base
            frame.pts = ticks + round(video.offset_s / frame.time_base)
            output.mux(stream.encode(frame))
            while block is not None and block.pts / SAMPLE_RATE <= video.time_s(index) + video.offset_s:
                output.mux(sound.encode(block))
                block = next(blocks, None)
        while block is not None:
            output.mux(sound.encode(block))
            block = next(blocks, None)
        output.mux(stream.encode(None))
        if sound:
            output.mux(sound.encode(None))
    return path


@contextmanager
def _same_priority() -> Iterator[None]:
    """Undo what SVT-AV1 does to a process of root: it makes it real-time, and all that it starts starves the others."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def write_audio(path: Path, codec: str, seconds: float = 4.0) -> Path:
    """Write a file of sound alone."""
    with av.open(str(path), "w") as output:
        stream = _audio_stream(output, Video(audio=codec))
        for block in _tone(Video(seconds=seconds)):
            output.mux(stream.encode(block))
        output.mux(stream.encode(None))
    return path


def _video_stream(output: Any, video: Video) -> Any:
    options = {"x264": {"preset": "ultrafast", "bf": str(video.bframes), "g": str(video.gop), "sc_threshold": "0"}}
    stream = output.add_stream(video.codec, rate=video.fps, options=options.get(video.codec.removeprefix("lib"), {}))
    stream.width, stream.height, stream.pix_fmt = video.width, video.height, video.pixel_format
    stream.codec_context.time_base = Fraction(1, 1000) if video.times is not None else 1 / video.fps
    stream.codec_context.sample_aspect_ratio = video.sample_aspect_ratio
    stream.codec_context.thread_count = 1
    if video.rotation_deg:
        stream.set_display_rotation(-video.rotation_deg)
    return stream


def _audio_stream(output: Any, video: Video) -> Any:
    if video.audio is None:
        return None
    stream = output.add_stream(video.audio, rate=SAMPLE_RATE)
    stream.codec_context.layout = "mono"
    return stream


def _tone(video: Video) -> Iterator[av.AudioFrame]:
    """Yield a tone that sounds while the flash shows, and silence between."""
    total, step = round(video.seconds * SAMPLE_RATE), 1024
    for start in range(0, total, step):
        at = np.arange(start, min(start + step, total))
        loud = (at / SAMPLE_RATE) % 1.0 < FLASH_S
        wave = np.where(loud, 0.5 * np.sin(2 * np.pi * 1000 * at / SAMPLE_RATE), 0.0)
        frame = av.AudioFrame.from_ndarray((wave * 32767).astype(np.int16)[None, :], format="s16", layout="mono")
        frame.sample_rate, frame.time_base = SAMPLE_RATE, Fraction(1, SAMPLE_RATE)
        frame.pts = start + round(video.offset_s * SAMPLE_RATE)
        yield frame
