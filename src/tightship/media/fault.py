"""Turn what FFmpeg reports into our errors."""

from __future__ import annotations

import errno

import av

from tightship.errors import (
    ConversionFailed,
    CorruptMedia,
    DiskFull,
    OutputTooLarge,
    TightshipError,
    UnsupportedMedia,
)


def fault_of(error: av.FFmpegError) -> TightshipError:
    """Return our error for one of FFmpeg's."""
    match error.errno:
        case errno.ENOSPC:
            return DiskFull("The disk ran out of space.")
        case errno.EFBIG:
            return OutputTooLarge("The result grew past the limit on file size.")
        case errno.ENOMEM:
            return CorruptMedia("The file asks for more memory than there is.")
        case errno.EACCES | errno.EPERM | errno.EIO | errno.EROFS:
            return ConversionFailed(f"FFmpeg could not read or write: {error.strerror}.")
    if isinstance(error, av.error.PatchWelcomeError | av.error.LookupError):
        return UnsupportedMedia(f"The file uses a feature that is not decoded: {error.strerror}.")
    if isinstance(error, av.error.InvalidDataError | av.error.EOFError | av.error.ArgumentError):
        return CorruptMedia("The file is damaged and cannot be decoded.", reason=str(error.strerror)[:200])
    return ConversionFailed(f"FFmpeg failed: {error.strerror}.", errno=error.errno)


def write_fault_of(error: av.FFmpegError) -> TightshipError:
    """Return our error for one that FFmpeg met while it wrote a result: never the input's fault."""
    fault = fault_of(error)
    if isinstance(fault, CorruptMedia | UnsupportedMedia):
        return ConversionFailed(f"The result could not be written: {error.strerror}.")
    return fault
