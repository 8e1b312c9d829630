"""What is known of a media file: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class StreamInfo:
    """One stream. `None` means that it is not known, or has no meaning for this type.

    Args:
        index: Position in the file.
        type: `video`, `audio`, `subtitle`, `data`, `attachment` or `unknown`.
        codec: The codec's name (`h264`), or `unknown`.
        profile: The codec's profile (`High`).
        width, height: Square pixels as a viewer sees them, after the sample aspect ratio and the rotation.
        coded_width, coded_height: Pixels as stored.
        sample_aspect_ratio: Width of a stored pixel over its height, as `4:3`.
        rotation: Degrees clockwise by which the stored picture is turned for display.
        fps: Frames per second on average; None where the timestamps make no sense.
        variable_frame_rate: Whether frames last differently long, from a bounded look at their timestamps.
        pixel_format: Name of the pixel format (`yuv420p`).
        bit_depth: Bits per sample of the first component, or of the sound where that has a fixed size.
        sample_rate: Samples of sound per second.
        channels: Channels of sound.
        language: ISO 639 code as written in the file.
        frames: How many pictures, where the container says so.
        duration_s: Seconds.
        attached_pic: Whether this "video" is cover art.
        dispositions: What players are told of the stream: `default`, `forced`, ...
        tags: Free text written in the file, bounded in number and length.
    """

    index: int
    type: str
    codec: str
    profile: str | None = None
    width: int | None = None
    height: int | None = None
    coded_width: int | None = None
    coded_height: int | None = None
    sample_aspect_ratio: str | None = None
    rotation: float | None = None
    fps: float | None = None
    variable_frame_rate: bool | None = None
    pixel_format: str | None = None
    bit_depth: int | None = None
    sample_rate: int | None = None
    channels: int | None = None
    language: str | None = None
    frames: int | None = None
    duration_s: float | None = None
    attached_pic: bool = False
    dispositions: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MediaInfo:
    """One file.

    Args:
        container: FFmpeg's name of the container format.
        duration_s: Seconds; None where it cannot be known. Checked against the timestamps of the packets.
        size_bytes: Bytes of the whole file.
        bit_rate: Bits per second: size over duration.
        streams: Every stream, in the file's order.
        tags: Free text written in the file, bounded in number and length.
        warnings: One sentence each on what is damaged or contradictory.
    """

    container: str
    duration_s: float | None
    size_bytes: int
    bit_rate: int | None
    streams: tuple[StreamInfo, ...]
    tags: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def video(self) -> StreamInfo | None:
        """The stream that a viewer would be shown, if there is one."""
        moving = [stream for stream in self.streams if stream.type == "video" and not stream.attached_pic]
        return max(
            moving,
            key=lambda stream: ("default" in stream.dispositions, (stream.width or 0) * (stream.height or 0)),
            default=None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON, with `width`, `height`, `fps` and `rotation` of the video on top."""
        video = self.video
        shown = {name: getattr(video, name) if video else None for name in ("width", "height", "fps", "rotation")}
        return {**asdict(self), **shown, "streams": [asdict(stream) for stream in self.streams]}
