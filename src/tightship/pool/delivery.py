"""Put a result where it was asked for: whole, or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from tightship.errors import ConversionFailed, DiskFull, OutputUnwritable


def check_destination(destination: Path) -> None:
    """Refuse, before any work is done, a place that no file can be put in.

    Raises:
        OutputUnwritable: The folder is missing or may not be written, or the name is that of a folder or a device.
    """
    folder = destination.parent
    if not folder.is_dir():
        raise OutputUnwritable(f"there is no folder {str(folder)!r} to put the result in")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputUnwritable(f"the folder {str(folder)!r} may not be written to")
    if destination.exists() and not destination.is_file():
        raise OutputUnwritable(f"{str(destination)!r} exists and is not a file")


def deliver(folder: Path, name: object, destination: Path) -> None:
    """Move the file `name`, which a worker left in `folder`, to `destination`, replacing what is there.

    The name and the file come from a process that is not trusted: only a plain file of its own is taken.

    Raises:
        ConversionFailed: The worker left no such file.
        DiskFull, OutputUnwritable: It cannot be put there; nothing half written is left.
    """
    fd = _open_result(folder, name)
    try:
        check_destination(destination)
        os.fsync(fd)
        os.fchmod(fd, 0o666 & ~_umask())
        try:
            (folder / str(name)).replace(destination)
        except OSError as fault:
            if fault.errno != errno.EXDEV:
                raise
            _copy(fd, destination)
    except OSError as fault:
        raise _error(fault, destination) from None
    finally:
        os.close(fd)


def _open_result(folder: Path, name: object) -> int:
    fd = -1
    if isinstance(name, str) and name == Path(name).name:
        with suppress(OSError):
            fd = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if fd >= 0 and stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    if fd >= 0:
        os.close(fd)
    raise ConversionFailed(f"the worker left no file {name!r}")


def _copy(fd: int, destination: Path) -> None:
    """Copy to another filesystem: under a temporary name beside the destination, then rename."""
    part = destination.with_name(f".{destination.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.dup(fd), "rb") as source, part.open("xb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
        part.replace(destination)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _umask() -> int:
    """Return the mask for new files; os.umask can only be read by changing it, for every thread."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return next((int(line.split()[1], 8) for line in status.splitlines() if line.startswith("Umask:")), 0o022)


def _error(fault: OSError, destination: Path) -> DiskFull | OutputUnwritable:
    if fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"the disk of {str(destination.parent)!r} is full; nothing half written was left")
    return OutputUnwritable(f"{str(destination)!r} cannot be written: {fault.strerror}")
