"""A file on its way into the store, and what it is once it is there."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tightship.errors import DiskFull, MediaTooLarge
from tightship.units import format_bytes

#: Bytes read at a time when a file is digested or copied.
CHUNK_BYTES = 2**20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

#: Give a complete file, open under a descriptor, the name of its digest; returns the descriptor that holds it.
Place = Callable[[Path, int, str], int]


@dataclass(frozen=True)
class Blob:
    """A file of the store: the SHA-256 of its content, in hexadecimal, and its length."""

    digest: str
    size_bytes: int


class Tally:
    """What has come of an input, counted and digested: all that is needed of one that is not kept."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._sha256 = hashlib.sha256()
        self.size_bytes = 0

    def write(self, chunk: bytes | memoryview) -> None:
        """Take in what comes next.

        Raises:
            MediaTooLarge: The limit is passed.
        """
        if self.size_bytes + len(chunk) > self._limit_bytes:
            raise MediaTooLarge(
                f"the upload has more than {format_bytes(self._limit_bytes)}", limit_bytes=self._limit_bytes
            )
        self._sha256.update(chunk)
        self.size_bytes += len(chunk)

    def commit(self) -> Blob:
        """Return what has come."""
        return Blob(self._sha256.hexdigest(), self.size_bytes)


class Upload:
    """A file being written. Leaving the block lets go of it: it stays if it was committed and a row refers to it."""

    def __init__(self, place: Place, path: Path, fd: int, limit_bytes: int) -> None:
        self._place = place
        self._path = path
        self._fd: int | None = fd
        self._tally = Tally(limit_bytes)
        self._blob: Blob | None = None

    def write(self, chunk: bytes | memoryview) -> None:
        """Append to the file.

        Raises:
            MediaTooLarge: The limit is passed; nothing is left of the file.
            DiskFull: The disk is full; nothing is left of the file.
        """
        rest = memoryview(chunk)
        with self._aborting():
            self._tally.write(chunk)
            while rest:
                rest = rest[os.write(self._descriptor(), rest) :]

    def digest_what_is_there(self) -> None:
        """Digest a file that was written by somebody else."""
        with self._aborting():
            while chunk := os.read(self._descriptor(), CHUNK_BYTES):
                self._tally.write(chunk)

    def commit(self) -> Blob:
        """Sync the file and give it its name; from then on it is held until the block ends."""
        if self._blob is None:
            blob = self._tally.commit()
            with self._aborting():
                os.fsync(self._descriptor())
                self._fd = self._place(self._path, self._descriptor(), blob.digest)
            self._blob = blob
        return self._blob

    def abort(self) -> None:
        """Let go of the file, and remove it unless it was committed; doing so again changes nothing."""
        if self._fd is not None:
            if self._blob is None:
                self._path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = None

    @contextmanager
    def _aborting(self) -> Iterator[None]:
        try:
            with disk_faults():
                yield
        except BaseException:
            self.abort()
            raise

    def _descriptor(self) -> int:
        if self._fd is None:
            raise ValueError("the upload has ended")
        return self._fd

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    def __repr__(self) -> str:
        state = "ended" if self._fd is None else "open" if self._blob is None else "committed"
        return f"Upload({state}, {self._tally.size_bytes} bytes)"


@contextmanager
def disk_faults() -> Iterator[None]:
    """Tell a full disk as what it is."""
    try:
        yield
    except OSError as fault:
        if fault.errno in _FULL:
            raise DiskFull("the disk that holds the files is full") from fault
        raise
