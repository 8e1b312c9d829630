"""The operation `clip`: a piece of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt

from tightship.core.attempt import Attempt
from tightship.errors import InvalidOptions
from tightship.media.formats import COPIED_VIDEO, natural_suffix
from tightship.operations.operation import Media, Operation, picture_bytes, span_s, unpacked

#: Containers that clips are written in; the endings of their names too.
CONTAINERS = ("mp4", "mov", "mkv", "webm")
#: Seconds per megabyte of input that copying may take, and its bounds: a slow disk reads 1 MB/s under load, a short
#: file still has to start, and no upload is worth waiting for longer than half an hour.
COPY_S_PER_MB, COPY_MIN_S, COPY_MAX_S = 1.0, 60.0, 1800.0
#: Seconds per second of media that encoding again may take: 1080p takes 1 s on one free core.
ENCODE_S_PER_S = 20.0
#: Bytes. PyAV, the muxer's index and its interleaving buffers.
COPY_BYTES = 120 * 2**20
#: Pictures that FFmpeg decodes to learn what a stream is. Measured: 150 MB at 8192 x 4320.
PROBED_PICTURES = 3
#: Pictures that decoder (references), encoder (look-ahead, threads) and scaler hold at once.
HELD_PICTURES = 48


@dataclass(frozen=True)
class ClipOptions:
    """What to cut out.

    Args:
        start_s: Seconds from the start of the input.
        end_s: Seconds from the start of the input; None for its end.
        exact: Encode the pictures again, so that the clip starts and ends on the very frame. Else packets are copied,
            without loss and in no time, and the clip starts at the key frame at or before `start_s`.
        container: Format of the result; None keeps the input's, or the nearest one that is written.
    """

    start_s: Annotated[float, Ge(0)] = 0.0
    end_s: Annotated[float, Gt(0)] | None = None
    exact: bool = False
    container: Literal["mp4", "mov", "mkv", "webm"] | None = None

    def __post_init__(self) -> None:
        if self.end_s is not None and self.end_s <= self.start_s:
            raise InvalidOptions(f"end_s ({self.end_s}) must be after start_s ({self.start_s}).")


def container_of(path: Path) -> str:
    """Return the container that the ending of a result's name asks for.

    Raises:
        InvalidOptions: No such container is written.
    """
    container = path.suffix.lower().removeprefix(".")
    if container not in CONTAINERS:
        known = ", ".join(f".{name}" for name in CONTAINERS)
        raise InvalidOptions(f"a clip's name ends in one of {known}; {path.name!r} does not", suffix=path.suffix)
    return container


def _suffix(options: ClipOptions, media: Media) -> str:
    if options.container:
        return f".{options.container}"
    codecs = [stream["codec"] for stream in media.get("streams") or () if stream["type"] in ("video", "audio")]
    brand = (media.get("tags") or {}).get("major_brand", "")
    return natural_suffix(str(media.get("container") or "mp4"), codecs, brand)


def _encodes(options: ClipOptions, media: Media) -> bool:
    """Tell whether pictures are going to be encoded: on demand, or because the container cannot hold them."""
    copied = COPIED_VIDEO[_suffix(options, media)]
    moving = [stream for stream in media.get("streams") or () if stream["type"] == "video"]
    return options.exact or any(stream["codec"] not in copied for stream in moving if not stream.get("attached_pic"))


def _limit_s(options: ClipOptions, media: Media) -> float:
    copy_s = min(COPY_MAX_S, max(COPY_MIN_S, COPY_S_PER_MB * (media.get("size_bytes") or 0) / 1e6))
    return copy_s + (ENCODE_S_PER_S * span_s(options, media) if _encodes(options, media) else 0.0)


def _reservation_bytes(options: ClipOptions, media: Media) -> int:
    return COPY_BYTES + (HELD_PICTURES if _encodes(options, media) else PROBED_PICTURES) * picture_bytes(media)


OPERATION = Operation(
    name="clip",
    summary="Cut a piece out of a file: copied from a key frame on, or exact to the frame.",
    options=ClipOptions,
    module=__name__,
    suffix=_suffix,
    limit_s=_limit_s,
    reservation_bytes=_reservation_bytes,
)


def run(attempt: Attempt, options: Mapping[str, Any]) -> dict[str, Any]:
    """Write the clip into the scratch folder and return what it is, its name under `output`."""
    from tightship.media.clip import cut
    from tightship.media.guard import open_media
    from tightship.media.stream import codec_name

    chosen, limits = unpacked(ClipOptions, options)
    with open_media(attempt.input_fd, limits) as container:
        codecs = [codec_name(stream) for stream in container.streams if stream.type in ("video", "audio")]
        brand = container.metadata.get("major_brand", "")
        natural = natural_suffix(container.format.name, codecs, brand)
        suffix = f".{chosen.container}" if chosen.container else natural
        path = attempt.scratch / f"clip{suffix}"
        done = cut(
            container,
            path,
            chosen.start_s,
            chosen.end_s,
            exact=chosen.exact,
            limits=limits,
            progress=lambda done_s, total_s: attempt.checkpoint(done_s, total_s, "s"),
        )
    for warning in done.warnings:
        attempt.warn("clip", warning)
    return {
        "output": path.name,
        "container": suffix[1:],
        "mode": done.mode,
        "start_s": done.start_s,
        "end_s": done.end_s,
        "duration_s": done.duration_s,
        "streams": done.streams,
        "complete": done.complete,
        "size_bytes": path.stat().st_size,
    }
