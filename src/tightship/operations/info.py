"""The operation `info`: what a file is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tightship.core.attempt import Attempt
from tightship.operations.operation import Operation, picture_bytes, unpacked

#: Seconds. Probing is bounded in bytes, not in the media's length; a healthy file takes milliseconds.
LIMIT_S = 10.0
#: Bytes. PyAV loaded is 35 MB; headers and the packets that are looked at stay below 50 MB.
RESERVATION_BYTES = 100 * 2**20
#: Pictures that FFmpeg holds while it learns what the streams are; 168 MB were seen for one of 53 MB (8K).
PICTURES = 3


@dataclass(frozen=True)
class InfoOptions:
    """There is nothing to choose."""


OPERATION = Operation(
    name="info",
    summary="Tell what a media file holds: duration, size, streams, codecs, rotation, damage.",
    options=InfoOptions,
    module=__name__,
    suffix=lambda _options, _media: None,
    limit_s=lambda _options, _media: LIMIT_S,
    reservation_bytes=lambda _options, media: max(RESERVATION_BYTES, PICTURES * picture_bytes(media) + 40 * 2**20),
    answered_by_probe=True,
)


def run(attempt: Attempt, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return `MediaInfo` as plain JSON."""
    from tightship.media.probe import probe

    _, limits = unpacked(InfoOptions, options)
    attempt.checkpoint(0, 1, "files")
    return probe(attempt.input_fd, limits).to_dict()
