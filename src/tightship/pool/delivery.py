"""Put a result where it was asked for: whole, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tightship.errors import ConversionFailed, DiskFull, OutputUnwritable

#: There is no room on the disk, or no more for this user.
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
#: The file lies on another file system, or on one without links.
_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)


def check_destination(destination: Path) -> None:
    """Refuse, before any work is done, a place that no file can be put in.

    Raises:
        OutputUnwritable: The folder is missing or may not be written, or the name is that of a folder or a device.
    """
    try:
        _refuse_impossible(destination)
    except OSError as fault:
        raise OutputUnwritable(f"{str(destination)!r} cannot be written: {fault.strerror}") from None


def _refuse_impossible(destination: Path) -> None:
    folder = destination.parent
    if "\0" in str(destination):
        raise OutputUnwritable(f"{str(destination)!r} is not a file name")
    if not folder.is_dir():
        raise OutputUnwritable(f"there is no folder {str(folder)!r} to put the result in")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputUnwritable(f"the folder {str(folder)!r} may not be written to")
    if destination.exists() and not destination.is_file():
        raise OutputUnwritable(f"{str(destination)!r} exists and is not a file")


def deliver(folder: Path, name: object, destination: Path) -> None:
    """Move the file `name`, which a worker left in `folder`, to `destination`, replacing what is there.

    The name and the file come from a process that is not trusted, and that may rename and link in its folder meanwhile:
    only a plain file of its own is taken, and from then on it is known by its descriptor alone.

    Raises:
        ConversionFailed: The worker left no such file.
        DiskFull, OutputUnwritable: It cannot be put there; nothing half written is left.
    """
    with _opened_result(folder, name) as (folder_fd, fd):
        try:
            check_destination(destination)
            os.fsync(fd)
            os.fchmod(fd, 0o666 & ~_umask())
            _put(fd, destination)
        except OSError as fault:
            raise _error(fault, destination) from None
        with suppress(OSError):
            os.unlink(str(name), dir_fd=folder_fd)


def deliver_bytes(content: bytes, destination: Path) -> None:
    """Write a file of ours to `destination`, replacing what is there.

    Raises:
        DiskFull, OutputUnwritable: It cannot be put there; nothing half written is left.
    """
    check_destination(destination)
    try:
        with _arriving(destination) as part, part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as fault:
        raise _error(fault, destination) from None


@contextmanager
def _opened_result(folder: Path, name: object) -> Iterator[tuple[int, int]]:
    """Open the worker's folder and the file in it, following no link."""
    with ExitStack() as opened:
        fds: list[int] = []
        if isinstance(name, str) and name == Path(name).name:
            with suppress(OSError, ValueError):
                for entry, flags in ((folder, os.O_DIRECTORY), (name, os.O_NONBLOCK)):
                    flags |= os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
                    fds.append(os.open(entry, flags, dir_fd=fds[0] if fds else None))
                    opened.callback(os.close, fds[-1])
        if len(fds) < 2 or not stat.S_ISREG(os.fstat(fds[1]).st_mode):
            raise ConversionFailed(f"the worker left no file {name!r}")
        yield fds[0], fds[1]


def _put(fd: int, destination: Path) -> None:
    with _arriving(destination) as part:
        try:
            os.link(f"/proc/self/fd/{fd}", part, src_dir_fd=fd, follow_symlinks=True)
        except OSError as fault:
            if fault.errno not in _NO_LINK:
                raise
            _copy(fd, part)


@contextmanager
def _arriving(destination: Path) -> Iterator[Path]:
    """Yield a temporary name beside the destination for a file that is to be there; then rename it."""
    part = destination.with_name(f".{destination.name[:50]}.{os.urandom(4).hex()}.part")
    try:
        yield part
        part.replace(destination)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _copy(fd: int, part: Path) -> None:
    with os.fdopen(os.dup(fd), "rb") as source, part.open("xb") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())


def _umask() -> int:
    """Return the mask for new files; os.umask can only be read by changing it, for every thread."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return next((int(line.split()[1], 8) for line in status.splitlines() if line.startswith("Umask:")), 0o022)


def _error(fault: OSError, destination: Path) -> DiskFull | OutputUnwritable:
    if fault.errno in NO_SPACE:
        return DiskFull(f"the disk of {str(destination.parent)!r} is full; nothing half written was left")
    return OutputUnwritable(f"{str(destination)!r} cannot be written: {fault.strerror}")
