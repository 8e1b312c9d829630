"""Files below one folder, together within a bound of bytes: the least recently used make room for new ones.

Any number of processes may share a folder without a lock, as nothing can be taken from them that they could not do
again: a file arrives by being renamed, is used by being opened, and its time of reading tells when it was used last.
"""

from __future__ import annotations

import errno
import math
import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

#: Most files on a shelf: a look at all of them then takes some 60 ms.
MOST_FILES = 10_000
#: Where something has to go, a part of the bounds goes with it: what comes next needs no look until that is used up.
_SPARE_PART = 64
#: A file takes whole blocks of the disk.
_BLOCK_BYTES = 4096
#: Seconds after which a half-written file has lost its writer: writing takes less than one.
_ABANDONED_S = 600.0
_FILE = re.compile(r"[0-9a-f]{64}(?P<part>\.[0-9a-f]{16}\.part)?")


class Found(NamedTuple):
    """A file's content, and the time of day when it was put there."""

    data: bytes
    made_s: float


class _Held(NamedTuple):
    """A file on the shelf, half-written ones included; they are told apart by when they were used."""

    used_ns: int
    made_ns: int
    size_bytes: int
    path: str

    @property
    def is_whole(self) -> bool:
        return not self.path.endswith(".part")

    @property
    def is_orphan(self) -> bool:
        """Whether it is half written, and nobody writes any more."""
        return not self.is_whole and self.made_ns < time.time_ns() - int(_ABANDONED_S * 1e9)


class Shelf:
    """Keep files under keys of 64 hexadecimal digits; only such files, and those half written, are ever touched.

    Args:
        folder: Where they lie; made when the first one is written.
        limit_bytes: What they may take together, in blocks of 4 KiB. While several processes write, what they write
            comes on top, and a 64th for each process that has looked before the others wrote.
        reserve_bytes: Bytes of free disk that are left to others.
    """

    def __init__(self, folder: Path, limit_bytes: int, reserve_bytes: int = 0) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        self._reserve_bytes = reserve_bytes
        self._lock = threading.Lock()
        self._spare_bytes = self._spare_files = 0

    def read(self, key: str, most_bytes: int) -> Found | None:
        """Return a file and count it as used now; None where there is none.

        What is no plain file, or longer than `most_bytes`, is empty.

        Raises:
            OSError: It cannot be read.
        """
        fd = self._opened(key)
        if fd is None:
            return None
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_size > most_bytes:
                return Found(b"", found.st_mtime)
            with suppress(OSError):  # where it may not be said that it was used, it only goes sooner
                os.utime(fd, ns=(time.time_ns(), found.st_mtime_ns))
            with os.fdopen(fd, "rb", closefd=False) as file:
                return Found(file.read(most_bytes), found.st_mtime)
        finally:
            os.close(fd)

    def fits(self, size_bytes: int) -> bool:
        """Whether a file of that length could be there at all, were there no others."""
        return _on_disk(size_bytes) <= self.limit_bytes

    def use(self, key: str) -> None:
        """Count a file as used now, where there is one."""
        with suppress(OSError):
            made_ns = os.lstat(self._path(key)).st_mtime_ns
            os.utime(self._path(key), ns=(time.time_ns(), made_ns), follow_symlinks=False)

    def write(self, key: str, data: bytes) -> int:
        """Put a file there, whole or not at all, and return how many others had to go.

        Raises:
            OSError: It cannot be put there.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        space = os.statvfs(self.folder)
        if space.f_bavail * space.f_frsize < self._reserve_bytes + len(data):
            raise OSError(errno.ENOSPC, "the rest of the disk is left to others", str(self.folder))
        part = self.folder / f"{key}.{secrets.token_hex(8)}.part"
        # Before and after: so one process alone is never over the limit, and several are not for long.
        has_room = self._takes_spare(_on_disk(len(data)))
        gone = 0 if has_room else self._make_room(_on_disk(len(data)), 1)
        try:
            _write_synced(part, data)
            part.replace(self._path(key))
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        return gone if has_room else gone + self._make_room(0, 0)

    def remove(self, key: str) -> None:
        """Remove a file, where there is one.

        Raises:
            OSError: It cannot be removed.
        """
        self._path(key).unlink(missing_ok=True)

    def clear(self) -> int:
        """Remove all files and return how many there were.

        Raises:
            OSError: One cannot be removed.
        """
        return _removed(list(self._all()))

    def expire(self, before_s: float, after_s: float = math.inf) -> int:
        """Remove the files that were put there before a time of day, or after another; return how many there were.

        Raises:
            OSError: One cannot be removed.
        """
        before_ns, after_ns = before_s * 1e9, after_s * 1e9
        return _removed(
            each
            for each in self._all()
            if (each.is_whole and not before_ns <= each.made_ns <= after_ns) or each.is_orphan
        )

    def size(self) -> tuple[int, int]:
        """Return how many files there are, and the bytes of disk that they take."""
        held = list(self._all())
        return len(held), sum(each.size_bytes for each in held)

    def _path(self, key: str) -> Path:
        return self.folder / key

    def _opened(self, key: str) -> int | None:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            return os.open(self._path(key), flags)
        except FileNotFoundError:
            return None
        except OSError as fault:
            if fault.errno != errno.ELOOP:
                raise
            return os.open(self._path(key), flags | os.O_PATH)  # a link: opened as itself, it is no plain file

    def _takes_spare(self, size_bytes: int) -> bool:
        """Use room that was there at the last look; False where there was not so much."""
        with self._lock:
            if size_bytes > self._spare_bytes or not self._spare_files:
                return False
            self._spare_bytes, self._spare_files = self._spare_bytes - size_bytes, self._spare_files - 1
            return True

    def _make_room(self, wanted_bytes: int, wanted_files: int) -> int:
        """Remove the least recently used until so much more fits, and some to spare; return how many have gone."""
        held = sorted(self._all())
        total_bytes, count = wanted_bytes + sum(each.size_bytes for each in held), wanted_files + len(held)
        most_bytes, most_files = self.limit_bytes, MOST_FILES
        spare_bytes = most_bytes // _SPARE_PART // _BLOCK_BYTES * _BLOCK_BYTES
        spare_files = most_files // _SPARE_PART
        if total_bytes > most_bytes or count > most_files:
            most_bytes, most_files = most_bytes - spare_bytes, most_files - spare_files
        gone = 0
        for each in held:
            if total_bytes <= most_bytes and count <= most_files and not each.is_orphan:
                continue
            gone += _removed([each])
            total_bytes, count = total_bytes - each.size_bytes, count - 1
        with self._lock:
            self._spare_bytes = max(0, min(spare_bytes, self.limit_bytes - total_bytes))
            self._spare_files = max(0, min(spare_files, MOST_FILES - count))
        return gone

    def _all(self) -> Iterator[_Held]:
        with suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            for entry in entries:
                if _FILE.fullmatch(entry.name):
                    with suppress(FileNotFoundError):
                        found = entry.stat(follow_symlinks=False)
                        if not stat.S_ISDIR(found.st_mode):
                            size_bytes = _on_disk(found.st_size)
                            yield _Held(found.st_atime_ns, found.st_mtime_ns, size_bytes, entry.path)

    def __repr__(self) -> str:
        return f"Shelf({str(self.folder)!r}, limit_bytes={self.limit_bytes})"


def _removed(files: Iterable[_Held]) -> int:
    """Remove files and return how many were there still."""
    gone = 0
    for each in files:
        with suppress(FileNotFoundError):  # another process was faster
            os.unlink(each.path)  # noqa: PTH108 - thousands of names, which need not become paths
            gone += 1
    return gone


def _on_disk(size_bytes: int) -> int:
    return -(-size_bytes // _BLOCK_BYTES) * _BLOCK_BYTES


def _write_synced(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(fd)
