"""What the FFmpeg inside PyAV can read and write."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import av

#: The formats of our day, and what decodes each in software: FFmpeg's own AV1 decoder only drives a GPU.
DECODERS = {
    "h264": "h264", "hevc": "hevc", "vp9": "vp9", "av1": "libdav1d", "gif": "gif", "aac": "aac", "opus": "opus",
}  # fmt: skip
#: What tightship writes, and what may stand in for it.
ENCODERS = ("gif", "libx264", "libvpx-vp9", "aac", "libopus")


@dataclass(frozen=True)
class Codecs:
    """The libraries, and for each codec whether it is there.

    Args:
        pyav: Version of PyAV.
        ffmpeg: Version of FFmpeg.
        libraries: Version of each of FFmpeg's libraries.
        decoders: Whether a format can be read.
        encoders: Whether an encoder is there.
    """

    pyav: str
    ffmpeg: str
    libraries: dict[str, str]
    decoders: dict[str, bool]
    encoders: dict[str, bool]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON."""
        return asdict(self)


def codecs() -> Codecs:
    """Ask FFmpeg what it was built with."""
    return Codecs(
        pyav=av.__version__,
        ffmpeg=str(av.ffmpeg_version_info),
        libraries={name: ".".join(map(str, version)) for name, version in av.library_versions.items()},
        decoders={name: _is_there(decoder, "r") for name, decoder in DECODERS.items()},
        encoders={name: _is_there(name, "w") for name in ENCODERS},
    )


def _is_there(name: str, mode: Literal["r", "w"]) -> bool:
    try:
        av.Codec(name, mode)
    except av.codec.codec.UnknownCodecError:
        return False
    return True
