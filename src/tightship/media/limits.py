"""How much of a stranger's file we are ready to look at."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from tightship.errors import InvalidOptions


@dataclass(frozen=True)
class Limits:
    """Bounds on one input; plain numbers, so that they travel to a slot as JSON."""

    #: Bytes. 4 GiB: two hours of 1080p at 4.7 Mbit/s; checked before the first byte is read.
    max_file_bytes: int = 4 * 2**30
    #: Seconds of media that one job may work on. 6 h: the longest lecture or match that people upload whole.
    max_duration_s: float = 6 * 3600.0
    #: Pixels in one frame. 8192 x 4320 ("8K DCI") is 53 MB as 4:2:0; a bomb declares 400 million.
    max_frame_pixels: int = 8192 * 4320
    #: Frames that one job may decode. 6 h at 60 frames per second.
    max_frames: int = 6 * 3600 * 60
    #: Streams in one file. The richest discs have about 50 (sound and subtitles in every language).
    max_streams: int = 64
    #: Frames per second above which a rate is called nonsense. High-speed cameras write up to 960.
    max_fps: float = 1000.0
    #: Bytes read to learn what the streams are. FFmpeg's own default, stated because a hostile file reaches it.
    probe_bytes: int = 5_000_000
    #: Seconds of media read to learn what the streams are. FFmpeg's own default.
    analyze_s: float = 5.0
    #: Packets read at most to check timestamps. About a minute of video; 3 ms.
    scan_packets: int = 2000
    #: Tags reported per file and per stream. Real files carry fewer than 20.
    max_tags: int = 64
    #: Characters reported per tag. Longer ones are lyrics, or an attack on whoever stores them.
    max_tag_chars: int = 1024

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 < value < math.inf:
                raise InvalidOptions(f"{field.name} must be more than 0, not {value}", option=field.name)

    def to_dict(self) -> dict[str, Any]:
        """Return the limits as plain JSON."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Limits:
        """Rebuild the limits that `to_dict` wrote; unknown keys are left out."""
        return cls(**{field.name: data[field.name] for field in fields(cls) if field.name in data})
