"""Files under the digest of their content: complete and synced, or not there at all.

A file that no row refers to yet must outlive a sweep, and one that its writer has left must not. Both are told by a
lock that the kernel releases with its holder (`flock`): whoever brings a file holds it until a row refers to it.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tightship.errors import OutputUnwritable
from tightship.store.upload import CHUNK_BYTES, Blob, Upload, disk_faults

_DIGEST = re.compile(r"[0-9a-f]{64}")


class BlobStore:
    """Files below one folder, each under the digest of its content. Who refers to them is the database's to know."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._incoming = root / "incoming"
        with disk_faults():
            self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Return where the file of that digest lies, or would lie."""
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"not a digest: {digest!r}")
        return self.root / digest[:2] / digest[2:]

    def free_bytes(self) -> int:
        """Return the bytes of disk that are free for files."""
        return shutil.disk_usage(self.root).free

    def open_upload(self, limit_bytes: int) -> Upload:
        """Open a file to write; it is part of the store when it is committed, and gone otherwise.

        Raises:
            DiskFull: There is no space for even its name.
        """
        path = self._incoming / secrets.token_hex(16)
        with disk_faults():
            while True:
                fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                fcntl.flock(fd, fcntl.LOCK_SH)
                # A sweep may have come between the two lines above.
                if os.fstat(fd).st_nlink:
                    return Upload(self._place, path, fd, limit_bytes)
                os.close(fd)

    @contextmanager
    def put_file(self, path: Path) -> Iterator[Blob]:
        """Move a file into the store, and hold it there until the block ends: by then a row must refer to it.

        Raises:
            DiskFull: It had to be copied from another disk, and did not fit.
            OutputUnwritable: It is not a plain file with a single name.
        """
        with disk_faults():
            fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                found = os.fstat(fd)
                if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
                    raise OutputUnwritable(f"{path.name} is not a plain file with a single name")
                same_disk = found.st_dev == self._incoming.stat().st_dev
                with self._moved(path, fd) if same_disk else self.open_upload(found.st_size) as upload:
                    if not same_disk:
                        _copy(fd, upload)
                        path.unlink()
                    yield upload.commit()
            finally:
                os.close(fd)

    @contextmanager
    def _moved(self, path: Path, fd: int) -> Iterator[Upload]:
        here = self._incoming / secrets.token_hex(16)
        held_fd = os.dup(fd)
        fcntl.flock(held_fd, fcntl.LOCK_SH)  # before it is where a sweep would find it
        path.rename(here)
        os.fchmod(held_fd, 0o600)
        with Upload(self._place, here, held_fd, os.fstat(held_fd).st_size) as upload:
            upload.digest_what_is_there()
            yield upload

    def discard(self, digest: str, is_referred_to: Callable[[str], bool]) -> bool:
        """Remove a file, unless a row refers to it or somebody is about to make one; True when it is gone."""
        path = self.path(digest)
        with self._placing(), suppress(FileNotFoundError):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Asked under the lock: nobody can have brought the file and referred to it since.
                if is_referred_to(digest):
                    return False
                path.unlink()
                return True
            except BlockingIOError:
                return False
            finally:
                os.close(fd)
        return False

    def digests(self) -> Iterator[str]:
        """Yield the digest of every file."""
        for folder in sorted(self.root.glob("[0-9a-f][0-9a-f]")):
            with suppress(FileNotFoundError):
                for path in sorted(folder.iterdir()):
                    if _DIGEST.fullmatch(folder.name + path.name):
                        yield folder.name + path.name

    def sweep_uploads(self) -> int:
        """Remove half-written files whose writers are gone; return how many."""
        removed = 0
        for path in list(self._incoming.iterdir()):
            with suppress(FileNotFoundError, BlockingIOError):
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
                    removed += 1
                finally:
                    os.close(fd)
        return removed

    def _place(self, path: Path, fd: int, digest: str) -> int:
        """Give a complete file its name, or adopt the one that has it; return the descriptor that holds it."""
        final = self.path(digest)
        final.parent.mkdir(mode=0o700, exist_ok=True)
        with self._placing():
            present = _opened(final)
            if present is None:
                path.rename(final)
            else:
                fcntl.flock(present, fcntl.LOCK_SH)
                path.unlink()
        # Whoever brought the present one may not have come so far yet.
        _sync_folder(final.parent)
        _sync_folder(self.root)
        if present is None:
            return fd
        os.close(fd)
        return present

    @contextmanager
    def _placing(self) -> Iterator[None]:
        """Keep others, threads and processes, from placing and removing files meanwhile."""
        fd = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def __repr__(self) -> str:
        return f"BlobStore({str(self.root)!r})"


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _copy(fd: int, upload: Upload) -> None:
    while chunk := os.read(fd, CHUNK_BYTES):
        upload.write(chunk)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
