"""What a file holds, known again by its digest; and whether it still does."""

from __future__ import annotations

import hashlib
import math
import os
import stat
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tightship.errors import Cancelled, MediaNotFound
from tightship.pool.source import open_source

#: Bytes read at a time while a file is digested.
_BLOCK_BYTES = 2**20


@dataclass(frozen=True)
class Content:
    """What a file held when it was read.

    Args:
        digest: SHA-256 of its bytes, in hexadecimal.
        path: Where it lies, when it may change; None where nobody changes it.
        state: What told then that it was unchanged.
    """

    digest: str
    path: Path | None = None
    state: tuple[int, ...] = ()

    def is_current(self) -> bool:
        """Whether the file has not been changed since."""
        return self.path is None or state_of(self.path) == self.state

    @classmethod
    def of(
        cls, path: Path, limit_bytes: int, cancel: threading.Event | None = None, limit_s: float = math.inf
    ) -> Content | None:
        """Read a file; None where it is longer than the limit, or reading it takes longer.

        Raises:
            MediaNotFound, UnsupportedMedia: It is not there, or no plain file.
            Cancelled: Meanwhile the job was.
        """
        with open_source(path) as fd:
            assert fd is not None
            found = os.fstat(fd)
            if found.st_size > limit_bytes:
                return None
            told_bytes = found.st_size or limit_bytes  # some virtual file systems tell none of what they make up
            try:
                digest = _digest_of_file(fd, told_bytes, cancel, time.monotonic() + limit_s)
            except OSError as fault:
                raise MediaNotFound(f"{str(path)!r} cannot be read: {fault.strerror}") from None
        return None if digest is None else cls(digest, path, _state(found))


def _state(found: os.stat_result) -> tuple[int, ...]:
    # The time of the last change of anything at all (ctime) cannot be set back.
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def state_of(path: Path) -> tuple[int, ...]:
    """Return what differs once a file has been changed or replaced; nothing where there is none."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return _state(found) if stat.S_ISREG(found.st_mode) else ()


def _digest_of_file(fd: int, left_bytes: int, cancel: threading.Event | None, give_up_at_s: float) -> str | None:
    checksum = hashlib.sha256()
    while block := os.read(fd, min(left_bytes, _BLOCK_BYTES)):  # no further: it may grow as fast as it is read
        checksum.update(block)
        left_bytes -= len(block)
        if cancel is not None and cancel.is_set():
            raise Cancelled("the job was cancelled")
        if time.monotonic() > give_up_at_s:
            return None
    return checksum.hexdigest()
