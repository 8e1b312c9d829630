"""Folders for temporary files whose names say whose they are, so that what the dead left behind can be swept."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tightship.core import procfs

#: `<pid>-<start time>-<label>-<random>`; nothing else in the root is ever touched.
_NAME = re.compile(r"(\d+)-(\d+)-[A-Za-z0-9_.-]+-[0-9a-f]{12}")
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")
#: Longest label in a folder's name; the whole name stays far below the 255 bytes that file systems allow.
_LABEL_CHARS = 60
#: Rounds over the top of a tree in which one level goes each; only a process that keeps adding folders needs more.
_MOST_ROUNDS = 20_000
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
        folder = self.path / f"{pid}-{_start_time(pid) or 0}-{fit}-{os.urandom(6).hex()}"
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
        return folder

    def sweep(self, first: Callable[[Path], None] | None = None) -> SweepReport:
        """Remove the folders of processes that are gone, also of those whose pid now belongs to another process.

        A process in another container cannot be seen from here: its folder stays only while it is held (`hold`).

        Args:
            first: Called with each folder before it is removed.
        """
        removed: list[str] = []
        left: list[str] = []
        for folder in list(self._orphans()):
            if _is_held(folder):
                continue
            if first is not None:
                first(folder)
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


@contextmanager
def own_folder(root: Path, label: str) -> Iterator[Path]:
    """Yield a folder below `root` for the time of the block; should this process be killed, a sweep removes it."""
    folder = ScratchRoot(root).open_folder(label)
    held_fd = hold(folder)
    try:
        yield folder
    finally:
        remove_tree(folder)
        os.close(held_fd)


def hold(folder: Path) -> int:
    """Lock a folder against every sweep; return the descriptor that holds the lock until it is closed."""
    import fcntl

    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


def _is_held(folder: Path) -> bool:
    if not procfs.available():
        return False
    try:
        os.close(hold(folder))
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def remove_tree(path: Path) -> list[str]:
    """Remove a folder with all that is in it, or a file, or a link (never what a link points to).

    Folders that forbid it are made writable; no depth is too great.

    Returns:
        The paths that are still there; empty when all went well, and when there was nothing.
    """
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
    import psutil  # only where there is no /proc

    with suppress(psutil.NoSuchProcess):
        return int(psutil.Process(pid).create_time() * procfs.TICKS_PER_S)
    return None


def _remove(path: Path) -> None:
    with suppress(OSError):
        os.rmdir(path)  # noqa: PTH106 - an empty folder, which most are that come here, needs no care
        return
    with suppress(OSError, RecursionError):
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
        elif procfs.available():
            _empty(path)
            path.rmdir()
        else:
            shutil.rmtree(path, ignore_errors=True)


def _empty(folder: Path) -> None:
    """Empty a folder whose contents somebody hostile made, and may be changing meanwhile.

    Every step starts from an open folder and follows no link, so nothing outside is touched. What a folder holds is
    moved up to the top before the folder goes: it takes three descriptors and no recursion, however deep the tree.
    """
    with _opened(folder) as top_fd:
        for _ in range(_MOST_ROUNDS):
            names = os.listdir(top_fd)  # noqa: PTH208 - of an open folder
            if not names:
                return
            for name in names:
                with suppress(OSError):
                    _take_apart(name, top_fd)


def _take_apart(name: str, top_fd: int) -> None:
    """Remove `name` in the top folder; if it is a folder, move what it holds up first."""
    try:
        os.unlink(name, dir_fd=top_fd)
    except (IsADirectoryError, PermissionError):
        with _opened(name, top_fd) as fd:
            for inner in os.listdir(fd):  # noqa: PTH208 - as above
                try:
                    os.unlink(inner, dir_fd=fd)
                except (IsADirectoryError, PermissionError):
                    with suppress(OSError), _opened(inner, fd):  # to move a folder takes the right to write in it
                        os.rename(inner, os.urandom(8).hex(), src_dir_fd=fd, dst_dir_fd=top_fd)
        os.rmdir(name, dir_fd=top_fd)


@contextmanager
def _opened(folder: Path | str, within_fd: int | None = None) -> Iterator[int]:
    """Open a folder, no link, that can be changed from now on whatever its permissions were."""
    flags = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(folder, flags | os.O_PATH, dir_fd=within_fd)
    try:
        itself = f"/proc/self/fd/{handle}"
        with suppress(OSError):
            os.chmod(itself, 0o700)  # noqa: PTH101 - by its handle: a name may mean something else by now
        fd = os.open(itself, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(handle)
    try:
        yield fd
    finally:
        os.close(fd)


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
