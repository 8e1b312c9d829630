"""Folders for temporary files whose names say whose they are, so that what the dead left behind can be swept."""

from __future__ import annotations

import getpass
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tightship.core import procfs

#: `<pid>-<start time>-<label>-<random>`; nothing else in the root is ever touched.
_NAME = re.compile(r"(\d+)-(\d+)-[A-Za-z0-9_.-]+-[0-9a-f]{12}")
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")
#: Longest label in a folder's name; the whole name stays far below the 255 bytes that file systems allow.
_LABEL_CHARS = 60
#: `st_blocks` counts units of this size, whatever the file system's blocks are.
_BLOCK_BYTES = 512


@dataclass(frozen=True)
class SweepReport:
    """What a sweep did.

    Args:
        removed: Names of the folders that are gone.
        left: Paths that could not be removed.
    """

    removed: tuple[str, ...]
    left: tuple[str, ...]


class ScratchRoot:
    """The one folder below which all scratch folders lie; it is made when first needed, for its owner alone."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @classmethod
    def of_user(cls) -> ScratchRoot:
        """Return this user's root in the system's folder for temporary files.

        Raises:
            PermissionError: Somebody else has made a folder of that name.
        """
        user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
        path = Path(tempfile.gettempdir(), f"tightship-{user}")
        path.mkdir(mode=0o700, exist_ok=True)
        if path.is_symlink() or (isinstance(user, int) and path.stat().st_uid != user):
            raise PermissionError(f"{path} belongs to somebody else")
        return cls(path)

    def open_folder(self, label: str) -> Path:
        """Make a folder that belongs to this process.

        Args:
            label: Says what for; characters that do not fit in a file name become `_`.
        """
        pid = os.getpid()
        fit = _UNFIT.sub("_", label)[:_LABEL_CHARS] or "_"
        folder = self.path / f"{pid}-{_start_time(pid) or 0}-{fit}-{secrets.token_hex(6)}"
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
        return folder

    def sweep(self) -> SweepReport:
        """Remove the folders of processes that are gone, also of those whose pid now belongs to another process."""
        removed: list[str] = []
        left: list[str] = []
        for folder in list(self._orphans()):
            remains = remove_tree(folder)
            left.extend(remains)
            if not remains:
                removed.append(folder.name)
        return SweepReport(tuple(removed), tuple(left))

    def _orphans(self) -> Iterator[Path]:
        with suppress(FileNotFoundError), os.scandir(self.path) as entries:
            for entry in entries:
                match = _NAME.fullmatch(entry.name)
                if match and entry.is_dir(follow_symlinks=False) and _start_time(int(match[1])) != int(match[2]):
                    yield Path(entry.path)

    def __repr__(self) -> str:
        return f"ScratchRoot({str(self.path)!r})"


def remove_tree(path: Path) -> list[str]:
    """Remove a folder with all that is in it, or a file, or a link (never what a link points to).

    Where that fails, the folders are made writable and it is tried once more.

    Returns:
        The paths that are still there; empty when all went well, and when there was nothing.
    """
    _remove(path)
    if not _exists(path):
        return []
    for folder in _folders(path):
        with suppress(OSError):
            folder.chmod(0o700)
    _remove(path)
    return [str(left) for left in _everything(path)]


def tree_bytes(path: Path) -> int:
    """Return the bytes that `path` and all below it occupy on disk; a file with several names counts once."""
    seen: set[tuple[int, int]] = set()
    total_bytes = 0
    for item in _everything(path):
        with suppress(FileNotFoundError):
            found = item.lstat()
            if (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                total_bytes += found.st_blocks * _BLOCK_BYTES
    return total_bytes


def _start_time(pid: int) -> int | None:
    if procfs.available():
        return procfs.start_time(pid)
    with suppress(psutil.NoSuchProcess):
        return int(psutil.Process(pid).create_time() * procfs.TICKS_PER_S)
    return None


def _remove(path: Path) -> None:
    # A tree too deep for recursion cannot be removed either; the caller reports what it finds.
    with suppress(OSError, RecursionError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _exists(path: Path) -> bool:
    return os.path.lexists(path)


def _everything(path: Path) -> Iterator[Path]:
    """Yield `path`, when it exists, and all below it, without following links."""
    if _exists(path):
        yield path
    for folder in _folders(path):
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                yield Path(entry.path)


def _folders(path: Path) -> Iterator[Path]:
    """Yield the folders from `path` down, each before it is looked into, without following links."""
    if path.is_symlink() or not path.is_dir():
        return
    pending = [path]
    while pending:
        folder = pending.pop()
        yield folder
        with suppress(OSError), os.scandir(folder) as entries:
            pending.extend(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
