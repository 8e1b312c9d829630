"""The operation `gif`: an animated picture from a video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval

from tightship.core.attempt import Attempt
from tightship.errors import InvalidOptions, VideoTooLong
from tightship.operations.operation import Media, Operation, picture_bytes, span_s, unpacked

#: Seconds per second of media that the work may take: 10 s of 1080p take 5 s on one free core; machines are shared.
WORK_S_PER_S = 20.0
#: Seconds that any GIF may take: a worker starts, a disk is busy.
MIN_WORK_S = 60.0
#: Bytes. PyAV and NumPy loaded, the palette and the encoder.
BASE_BYTES = 100 * 2**20
#: Decoded pictures held at once: 16 that H.264 may refer to, the ones in work.
HELD_PICTURES = 20
#: Scaled pictures of a palette window, as RGB and as working copies.
WINDOW_PICTURES, WINDOW_BYTES_PER_PIXEL = 20, 8


@dataclass(frozen=True)
class GifOptions:
    """What the GIF shall be.

    Args:
        width, height: Pixels of the box that the picture is fitted into: its shape is kept, it is never enlarged. One
            alone leaves the other side free, none keeps the source's size.
        fps: Frames per second at most: frames are dropped, never repeated. None keeps every frame, up to 50 a second.
        start_s, end_s: The part to convert, in seconds; an end of None is the end of the video.
        loop: How often the animation plays; 0 is for ever.
        dither: How colours between those of the palette are imitated; `none` is nearest to the source and smallest.
        colors: Colours of a palette; None leaves it to the quality.
        quality: `low` for small files, `high` for the best colours.
    """

    width: Annotated[int, Interval(ge=1, le=8192)] | None = None
    height: Annotated[int, Interval(ge=1, le=8192)] | None = None
    fps: Annotated[float, Interval(gt=0, le=50)] | None = 10.0
    start_s: Annotated[float, Ge(0)] = 0.0
    end_s: Annotated[float, Gt(0)] | None = None
    loop: Annotated[int, Interval(ge=0, le=65535)] = 0
    dither: Literal[
        "none", "bayer", "floyd_steinberg", "sierra2", "sierra2_4a", "sierra3", "burkes", "atkinson", "heckbert"
    ] = "none"
    colors: Annotated[int, Interval(ge=2, le=256)] | None = None
    quality: Literal["low", "medium", "high"] = "medium"

    def __post_init__(self) -> None:
        if self.end_s is not None and self.end_s <= self.start_s:
            raise InvalidOptions(f"end_s ({self.end_s}) must be after start_s ({self.start_s}).")


def check_name(path: Path) -> None:
    """Refuse a name for a result that promises something else than a GIF.

    Raises:
        InvalidOptions: It does not end in `.gif`.
    """
    if path.suffix.lower() != ".gif":
        raise InvalidOptions(f"a GIF's name ends in .gif; {path.name!r} does not", suffix=path.suffix)


def _reservation_bytes(options: GifOptions, media: Media) -> int:
    source_pixels = picture_bytes(media) * 2 // 3
    box_pixels = (options.width or 8192) * (options.height or 8192)
    window_bytes = WINDOW_PICTURES * WINDOW_BYTES_PER_PIXEL * min(source_pixels, box_pixels)
    return BASE_BYTES + HELD_PICTURES * picture_bytes(media) + window_bytes


OPERATION = Operation(
    name="gif",
    summary="Turn a video into an animated GIF.",
    options=GifOptions,
    module=__name__,
    suffix=lambda _options, _media: ".gif",
    limit_s=lambda options, media: max(MIN_WORK_S, WORK_S_PER_S * span_s(options, media)),
    reservation_bytes=_reservation_bytes,
)


def run(attempt: Attempt, options: Mapping[str, Any]) -> dict[str, Any]:
    """Write the GIF into the scratch folder and return what it is, its name under `output`."""
    from tightship.media import gif
    from tightship.media.guard import open_media
    from tightship.media.stream import claimed_s, main_video

    chosen, limits = unpacked(GifOptions, options)
    path = attempt.scratch / "out.gif"
    wanted = gif.GifOptions(
        width_px=chosen.width,
        height_px=chosen.height,
        fps=chosen.fps,
        start_s=chosen.start_s,
        end_s=chosen.end_s,
        loop=chosen.loop,
        dither=chosen.dither,
        colors=chosen.colors,
        quality=chosen.quality,
    )
    with open_media(attempt.input_fd, limits) as container:
        length_s = span_s(chosen, {"duration_s": claimed_s(container)})
        if length_s > limits.max_duration_s:
            raise VideoTooLong(
                f"The part to convert lasts {length_s:.0f} s; the limit is {limits.max_duration_s:.0f} s.",
                duration_s=length_s,
                limit_s=limits.max_duration_s,
            )
        video = main_video(container)
        done = gif.write_gif(container, video, path, wanted, attempt.checkpoint, attempt.warn, limits.max_frames)
    return {
        "output": path.name,
        "width": done.width_px,
        "height": done.height_px,
        "frames": done.frames,
        "duration_s": done.duration_s,
        "fps": round(done.frames / done.duration_s, 3) if done.duration_s else None,
        "size_bytes": done.size_bytes,
        "complete": done.complete,
    }
