"""Open what a job works on, so that a slot gets a descriptor and never a name."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tightship.errors import MediaNotFound, UnsupportedMedia


@contextmanager
def open_source(path: Path | None) -> Iterator[int | None]:
    """Open a regular file for reading, and close it at the end; None gives None.

    Raises:
        MediaNotFound: There is no such file, or it may not be read.
        UnsupportedMedia: It is a folder, a pipe, a socket or a device.
    """
    if path is None:
        yield None
        return
    fd = _open_regular(path)
    try:
        yield fd
    finally:
        os.close(fd)


def _open_regular(path: Path) -> int:
    try:
        _refuse_irregular(path, path.stat().st_mode)  # before opening: to open a device can have effects
        # Between the two looks a pipe could take its place: never wait for its writer.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise MediaNotFound(f"there is no file {str(path)!r}") from None
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else "not a file name"
        raise MediaNotFound(f"{str(path)!r} cannot be read: {reason}") from None
    try:
        _refuse_irregular(path, os.fstat(fd).st_mode)
    except UnsupportedMedia:
        os.close(fd)
        raise
    return fd


def _refuse_irregular(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        raise UnsupportedMedia(f"{str(path)!r} is {kind}, not a file")
