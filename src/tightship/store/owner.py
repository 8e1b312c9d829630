"""Who works on a store, and who died at it: told by locks that the kernel releases with their holder.

A lock says more than a pid: it is free only when the last thread of its holder is gone, whichever container that ran
in, and the name is never given out again. It counts on the machine that gave it, between two starts of that machine.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tightship.store.upload import disk_faults

_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Owners:
    """Those who claim jobs, each under a name of its own: `<running kernel>.<pid>.<random>`.

    Args:
        folder: Where the locks lie, one file for each of them.
        boot: Names the running kernel and no other; where that is not known, nobody is ever said to have died.
    """

    def __init__(self, folder: Path, boot: str | None) -> None:
        self._folder = folder
        self._boot = boot
        with disk_faults():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def new(self) -> str:
        """Return a name that nobody else has, or had."""
        return f"{self._boot}.{os.getpid()}.{secrets.token_hex(8)}"

    @contextmanager
    def present(self, owner: str) -> Iterator[None]:
        """Let others know that the owner lives, until the block ends or this process does."""
        path = self._folder / owner
        with disk_faults():
            fd = _locked_anew(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            os.close(fd)

    def departed(self) -> Iterator[str]:
        """Yield each owner whose process has died; it is forgotten when the next one is asked for.

        Of whoever is not on this machine, or was on it before it was started anew, nothing is known: leases tell.
        """
        for path in self._folder.glob("*"):
            with suppress(OSError), _locked(path):
                if self._boot is not None and path.name.startswith(f"{self._boot}."):
                    yield path.name
                path.unlink()

    def __repr__(self) -> str:
        return f"Owners({str(self._folder)!r})"


def running_kernel() -> str | None:
    """Return what names the running kernel and no other, also in its containers; None where that is not known."""
    with suppress(OSError):
        return _BOOT.read_text(encoding="ascii").strip() or None
    return None


def _locked_anew(path: Path) -> int:
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        # Who looks for the dead may have come between the two lines above.
        if os.fstat(fd).st_nlink:
            return fd
        os.close(fd)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(fd)
