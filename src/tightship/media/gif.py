"""Turn a video into an animated GIF: one decoding pass, a few frames in memory at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from av.container import InputContainer
from av.video.stream import VideoStream

from tightship.errors import CorruptMedia, InvalidOptions
from tightship.media.canvas import Canvas, fit
from tightship.media.frames import Checkpoint, Frames, Picture, pictures
from tightship.media.giffile import GifFile
from tightship.media.palette import Quantizer, windows
from tightship.media.selection import Selection

Warn = Callable[[str, str], None]
Dither = Literal[
    "none", "bayer", "floyd_steinberg", "sierra2", "sierra2_4a", "sierra3", "burkes", "atkinson", "heckbert"
]
Quality = Literal["low", "medium", "high"]

#: Frames per second at most: browsers show delays under 2/100 s as 10/100.
MAX_FPS = 50.0


@dataclass(frozen=True)
class Preset:
    """What a quality stands for.

    Args:
        window_frames: Frames that share a palette at most. Fewer follow the colours better; more compress better.
        sample_step: Every how many-th pixel each way is looked at for the palette.
        scaler: FFmpeg's scaler flags.
        colors: Colours unless the caller names a number.
    """

    window_frames: int
    sample_step: int
    scaler: str
    colors: int


#: Measured on three clips of 10 s, 1080p to 480 px and 10 fps; see benchmarks/gif.py.
PRESETS: dict[Quality, Preset] = {
    "low": Preset(20, 3, "area+accurate_rnd", 128),
    "medium": Preset(10, 3, "bicubic+accurate_rnd", 256),
    "high": Preset(5, 1, "lanczos+accurate_rnd", 256),
}


@dataclass(frozen=True)
class GifOptions:
    """What the GIF shall be.

    Args:
        width_px, height_px: Box that the picture is fitted into; its shape is kept and it is never enlarged. One alone
            leaves the other side free, none keeps the source's size.
        fps: Frames per second at most. Frames are dropped, never repeated, and each is shown at its own time. None
            keeps every frame, up to 50 a second.
        start_s, end_s: The part to convert; None is the end of the video.
        loop: How often the animation plays; 0 is for ever.
        dither: How colours between those of the palette are imitated. None is nearest to the source and compresses
            best; `bayer` and the others hide banding in smooth gradients.
        colors: Colours per palette, 2 to 256 (255 and the transparent one); None leaves it to the quality.
        quality: `low` for small files, `medium`, or `high` for the best colours at about half again the time.
    """

    width_px: int | None = None
    height_px: int | None = None
    fps: float | None = 10.0
    start_s: float = 0.0
    end_s: float | None = None
    loop: int = 0
    dither: Dither = "none"
    colors: int | None = None
    quality: Quality = "medium"


@dataclass(frozen=True)
class GifSummary:
    """What was written."""

    width_px: int
    height_px: int
    frames: int
    duration_s: float
    size_bytes: int
    complete: bool

    def to_dict(self) -> dict[str, object]:
        """Return the summary as plain JSON."""
        return asdict(self)


def write_gif(
    container: InputContainer,
    stream: VideoStream,
    output: Path,
    options: GifOptions,
    checkpoint: Checkpoint,
    warn: Warn,
    max_frames: int | None = None,
) -> GifSummary:
    """Convert the video to an animated GIF at `output`.

    Args:
        container: Opened input, at its start.
        stream: Its video stream, not yet decoded from.
        output: Where the file is created; on an error what was written stays there.
        options: What the GIF shall be.
        checkpoint: Called for every packet with the seconds done; True ends the GIF there.
        warn: Called with a code and a sentence: `damaged_input`, `timestamps_repaired`, `stopped_early`.
        max_frames: How many frames may be decoded.

    Raises:
        CorruptMedia: Nothing could be decoded.
        InvalidOptions: The video ends before `start_s`.
        VideoTooLong: More frames than `max_frames`.
    """
    preset = PRESETS[options.quality]
    fps = min(options.fps or MAX_FPS, MAX_FPS)
    frames = Frames(
        container,
        stream,
        Selection(fps, options.start_s, options.end_s),
        checkpoint,
        shrinks=_shrinks(stream, options),
        max_frames=max_frames,
    )
    canvas = Canvas(options.width_px, options.height_px, stream.sample_aspect_ratio, preset.scaler)
    images, duration_cs = _encode(frames, canvas, output, options, preset)
    _report(frames, images, warn)
    width_px, height_px = canvas.size or (0, 0)
    size_bytes = output.stat().st_size
    return GifSummary(width_px, height_px, images, duration_cs / 100, size_bytes, not frames.stopped_early)


def _encode(frames: Frames, canvas: Canvas, output: Path, options: GifOptions, preset: Preset) -> tuple[int, int]:
    """Return the number of images written and their duration in hundredths of a second."""
    quantizer = Quantizer(options.colors or preset.colors, options.dither, preset.sample_step)
    gif: GifFile | None = None
    with output.open("wb") as file:
        for window in windows(pictures(frames, canvas.place), preset.window_frames):
            if gif is None:
                gif = GifFile(file, options.loop, transparent=canvas.transparent)
            _encode_window(window, gif, quantizer)
        if gif is None:
            return 0, 0
        gif.finish()
    return gif.images, gif.duration_cs


def _encode_window(window: list[Picture], gif: GifFile, quantizer: Quantizer) -> None:
    """Write the pictures and empty the window: each is given up as soon as it is mapped."""
    frames = [picture.frame for picture in window]
    durations_s = [picture.duration_s for picture in window]
    window.clear()
    gif.new_palette(frames[0].width, frames[0].height)
    for frame, duration_s in zip(quantizer.map(frames), durations_s, strict=True):
        gif.add(frame, duration_s)


def _report(frames: Frames, images: int, warn: Warn) -> None:
    if images == 0 and frames.damaged == 0 and frames.decoded > 0 and not frames.stopped_early:
        raise InvalidOptions("The video ends before the start of the GIF.", start_s=frames.selection.start_s)
    if images == 0 and not frames.stopped_early:
        raise CorruptMedia("No frame of the video could be decoded.", damaged_packets=frames.damaged)
    if frames.damaged:
        warn("damaged_input", f"Parts of the video that were damaged and left out: {frames.damaged:,}.")
    if frames.timeline.repaired:
        warn("timestamps_repaired", f"Timestamps that made no sense and were replaced: {frames.timeline.repaired:,}.")
    if frames.stopped_early:
        warn("stopped_early", f"Time ran out; the GIF ends after {frames.end_s:.1f} s.")


def _shrinks(stream: VideoStream, options: GifOptions) -> bool:
    """Tell whether the frames become at most half as wide and high, as far as the header tells."""
    codec = stream.codec_context
    if codec.width < 1 or codec.height < 1:
        return False
    width, height = fit(codec.width, codec.height, options.width_px, options.height_px)
    return 2 * max(width, height) <= max(codec.width, codec.height)
