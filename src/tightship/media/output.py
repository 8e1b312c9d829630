"""Write a media file into a folder of ours: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from traceback import clear_frames

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from tightship.errors import CorruptMedia, InvalidOptions, TightshipError
from tightship.media.fault import write_fault_of

#: FFmpeg's muxer for each ending that a clip may have.
MUXERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
#: Tags that describe the old file, not the material.
_STALE_TAGS = frozenset(
    {"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "number_of_frames"}
)


@contextmanager
def open_output(path: Path) -> Iterator[OutputContainer]:
    """Create the file at `path`, its index in front so that it plays while it downloads; remove it on failure.

    Raises:
        InvalidOptions: The ending is not one that is written.
        TightshipError: It could not be written; nothing is left.
    """
    muxer = MUXERS.get(path.suffix.lower())
    if muxer is None:
        raise InvalidOptions(f"A clip ends in {', '.join(MUXERS)}, not {path.suffix!r}.", suffix=path.suffix)
    # Normally strict, the muxer refuses sound that players take: MP3 of less than 16 kHz, for one.
    flags = {"movflags": "+faststart", "strict": "unofficial"} if muxer in ("mp4", "mov") else {}
    fault: TightshipError | None = None
    try:
        output = av.open(str(path), mode="w", format=muxer, container_options=flags)
        try:
            yield output
        except BaseException:
            _abandon(output, path)
            raise
        output.close()
    except av.FFmpegError as error:
        clear_frames(error.__traceback__)
        path.unlink(missing_ok=True)
        fault = write_fault_of(error)
    if fault is not None:
        raise fault from None


def mux(output: OutputContainer, packets: Sequence[Packet[Stream]]) -> None:
    """Write packets; a failure is told as one of writing, not of the input.

    Raises:
        DiskFull, OutputTooLarge, ConversionFailed: What the file system or the muxer refused.
        CorruptMedia: A copied packet is damaged so that the muxer cannot rewrite it as its format wants it.
    """
    fault: TightshipError | None = None
    try:
        output.mux(packets)
    except av.error.InvalidDataError as error:
        fault = CorruptMedia("The file is damaged so that this part cannot be copied.", reason=str(error.strerror))
    except av.FFmpegError as error:
        fault = write_fault_of(error)
    if fault is not None:
        raise fault from None


def lasting_tags(tags: dict[str, str]) -> dict[str, str]:
    """Return the tags that still hold for a part of the file."""
    return {name: value for name, value in tags.items() if name.lower().split("-")[0] not in _STALE_TAGS}


def _abandon(output: OutputContainer, path: Path) -> None:
    try:
        output.close()
    except (av.FFmpegError, ValueError):
        # The trailer of a file that is thrown away anyway; the first error is the one to tell.
        path.unlink(missing_ok=True)
    path.unlink(missing_ok=True)
