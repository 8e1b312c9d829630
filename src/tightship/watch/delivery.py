"""Put a result beside its file: whole or not at all, and never over what is somebody else's."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tightship.errors import DiskFull, OutputUnwritable
from tightship.pool.delivery import NO_SPACE, check_destination

#: Bytes read at a time.
CHUNK_BYTES = 2**20
#: What a result is called while it is being put in place of another.
_PART = ".tightship-part"
#: The file system has no files without a name.
_NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.EPERM, errno.ENOSYS)
#: The file system has no links.
_NO_LINK = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class NotOurs(Exception):
    """Something else is at the place by now."""


def prepare(place: Path, output_dir: Path | None) -> None:
    """Make the folder that a result goes to, where it is below `output_dir`, and refuse a place that cannot be written.

    Raises:
        OutputUnwritable: No file can be put there.
    """
    if output_dir is not None:
        with _faults(place):
            place.parent.mkdir(parents=True, exist_ok=True)
    check_destination(place)


def deliver(content: BinaryIO, digest: str, place: Path, replaceable: frozenset[str]) -> None:
    """Write a result to its place.

    It is written without a name and gets one when it is whole: a process that is killed leaves nothing.

    Args:
        content: The result, open at its start.
        digest: Its SHA-256; anything else is refused.
        replaceable: Digests of what it may replace.

    Raises:
        NotOurs: There is something else.
        ValueError: The content is not what the digest says.
        DiskFull, OutputUnwritable: It cannot be written; nothing is left of it.
    """
    with _faults(place):
        present = digest_at(place)
        if present == digest:
            return
        if present is not None and present not in replaceable:
            raise NotOurs(place)
        # The same for the same place: what a killed process leaves where files cannot be nameless goes the next time.
        part = place.with_name(f".{hashlib.sha256(os.fsencode(place.name)).hexdigest()[:16]}{_PART}")
        part.unlink(missing_ok=True)
        with _whole(content, digest, part) as name:
            if present is not None:
                name(part)
                part.replace(place)
                return
            try:
                name(place)
            except FileExistsError:
                if digest_at(place) != digest:  # else another watch was quicker
                    raise NotOurs(place) from None


def digest_at(path: Path) -> str | None:
    """Return the SHA-256 of a file's content; None when there is none, and `""` for what is no plain file.

    Raises:
        OSError: It cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as fault:
        if fault.errno == errno.ELOOP:
            return ""
        raise
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return ""
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _whole(content: BinaryIO, digest: str, part: Path) -> Iterator[Callable[[Path], None]]:
    """Copy the content into a file without a name, or into `part` where there is none such; yield what names it."""
    fd = _nameless(part.parent)
    nameless = fd is not None
    if fd is None:
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)

    def name(path: Path) -> None:
        if nameless:
            os.link(f"/proc/self/fd/{fd}", path, src_dir_fd=fd, follow_symlinks=True)
        elif path != part:
            _link(part, path)

    try:
        with os.fdopen(os.dup(fd), "wb") as file:
            _copy(content, digest, file)
        os.fsync(fd)
        yield name
    finally:
        os.close(fd)
        part.unlink(missing_ok=True)


def _link(part: Path, path: Path) -> None:
    try:
        path.hardlink_to(part)
    except OSError as fault:
        if fault.errno not in _NO_LINK:
            raise
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        part.rename(path)


def _nameless(folder: Path) -> int | None:
    try:
        return os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o666)
    except OSError as fault:
        if fault.errno not in _NO_TMPFILE:
            raise
        return None


def _copy(content: BinaryIO, digest: str, file: BinaryIO) -> None:
    sha256 = hashlib.sha256()
    while chunk := content.read(CHUNK_BYTES):
        sha256.update(chunk)
        file.write(chunk)
    if sha256.hexdigest() != digest:
        raise ValueError("the content is not what its digest says")


@contextmanager
def _faults(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        if fault.errno in NO_SPACE:
            raise DiskFull(f"the disk of {str(place.parent)!r} is full; nothing half written was left") from None
        raise OutputUnwritable(f"{str(place)!r} cannot be written: {fault.strerror}") from None
