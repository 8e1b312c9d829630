"""Open a file that a stranger sent: bounded, by content, and without a way to any other file."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import clear_frames

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from tightship.errors import (
    CorruptMedia,
    FrameTooLarge,
    MediaTooLarge,
    TightshipError,
    TooManyStreams,
    UnsupportedMedia,
)
from tightship.media import sniff
from tightship.media.fault import fault_of
from tightship.media.formats import DECODERS, DEMUXERS
from tightship.media.limits import Limits
from tightship.media.stream import area_px
from tightship.units import format_bytes

#: Limits for callers that name none.
DEFAULT_LIMITS = Limits()

_FILE_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


@contextmanager
def open_media(fd: int, limits: Limits = DEFAULT_LIMITS) -> Iterator[InputContainer]:
    """Open the regular file behind `fd` and close it again, whatever happens in between.

    Args:
        fd: Descriptor of the input. It stays the caller's; its offset moves, so open one container at a time.
        limits: What is refused.

    Yields:
        The container, positioned at its start. Its decoders refuse frames over the limit even when they only turn
        large in the middle. Its streams must not be touched after it closes.

    Raises:
        UnsupportedMedia: Not a regular file, or not a format that is opened.
        CorruptMedia: Damaged so that nothing can be read.
        MediaTooLarge, FrameTooLarge, TooManyStreams: Over a limit.
        TightshipError: Whatever FFmpeg reports inside the block, as one of ours.
    """
    check_file(fd, limits)
    head = os.pread(fd, sniff.HEAD_BYTES, 0)
    if sniff.gif_canvas_px(head) > limits.max_frame_pixels:
        raise _frame_too_large(sniff.gif_canvas_px(head), limits)
    os.lseek(fd, 0, os.SEEK_SET)
    container: InputContainer | None = None
    fault: TightshipError | None = None
    try:
        container = _open(fd, limits, head)
        _check_streams(container, limits)
        yield container
    except av.FFmpegError as error:
        clear_frames(error.__traceback__)
        fault = fault_of(error)
    except BaseException as error:
        # A kept exception keeps the locals of every frame it passed: packets, pictures and decoders.
        clear_frames(error.__traceback__)
        raise
    finally:
        if container is not None:
            container.close()
    if fault is not None:
        raise fault from None


def check_file(fd: int, limits: Limits) -> int:
    """Return the size in bytes of the regular file behind `fd`, without reading from it.

    Raises:
        UnsupportedMedia: It is not a regular file, or it is empty.
        MediaTooLarge: It has more bytes than the limit.
    """
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        kind = _FILE_KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise UnsupportedMedia(f"The input is {kind}, not a regular file.")
    if status.st_size == 0:
        raise UnsupportedMedia("The file is empty.", size_bytes=0)
    if status.st_size > limits.max_file_bytes:
        raise MediaTooLarge(
            f"The file has {format_bytes(status.st_size)}; the limit is {format_bytes(limits.max_file_bytes)}.",
            size_bytes=status.st_size,
            limit_bytes=limits.max_file_bytes,
        )
    return status.st_size


def _open(fd: int, limits: Limits, head: bytes) -> InputContainer:
    av.logging.set_level(None)
    kind, fault, exhausted = sniff.container_of(head), "", False
    try:
        return av.open("fd:", mode="r", options=_options(fd, limits), metadata_errors="replace")
    except av.FFmpegError as error:
        clear_frames(error.__traceback__)
        fault, exhausted = str(error.strerror), error.errno == errno.ENOMEM
    # Raised outside the handler, so that nothing of FFmpeg's hangs on it.
    if exhausted:
        raise TooManyStreams(
            f"The file declares more than {limits.max_streams} streams, or tables too large to hold.",
            limit=limits.max_streams,
        )
    if kind is None:
        raise UnsupportedMedia(f"The file is not media that is opened; it is {sniff.other_of(head)}.")
    raise CorruptMedia(f"The file begins as {kind}, but is damaged or cut off and cannot be opened.", reason=fault)


def _options(fd: int, limits: Limits) -> dict[str, str]:
    return {
        "fd": str(fd),
        "protocol_whitelist": "fd",
        "format_whitelist": ",".join(sorted(DEMUXERS)),
        "probesize": str(limits.probe_bytes),
        "analyzeduration": str(round(limits.analyze_s * 1e6)),
        # FFmpeg counts as it finds streams; one over ours still lets us say which limit it was.
        "max_streams": str(limits.max_streams + 1),
        **_decoder_options(limits),
    }


def _decoder_options(limits: Limits) -> dict[str, str]:
    return {"max_pixels": str(limits.max_frame_pixels), "codec_whitelist": ",".join(sorted(DECODERS))}


def _check_streams(container: InputContainer, limits: Limits) -> None:
    count = len(container.streams)
    if count == 0:
        raise CorruptMedia("The file holds no streams.")
    if count > limits.max_streams:
        raise TooManyStreams(f"The file has more than {limits.max_streams} streams.", limit=limits.max_streams)
    for stream in container.streams:
        context = stream.codec_context
        if context is None:
            continue
        # What was given to av.open reaches the probing decoders only; these are the ones that decode for us.
        context.options = _decoder_options(limits)
        if isinstance(stream, VideoStream) and area_px(stream) > limits.max_frame_pixels:
            raise _frame_too_large(area_px(stream), limits)


def _frame_too_large(pixels: int, limits: Limits) -> FrameTooLarge:
    return FrameTooLarge(
        f"A frame has {pixels:,} pixels; the limit is {limits.max_frame_pixels:,}.",
        pixels=pixels,
        limit_pixels=limits.max_frame_pixels,
    )
