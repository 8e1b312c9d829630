"""A memory limit that the kernel itself enforces, where a cgroup v2 with the memory controller may be written.

It is an upgrade: the warden's polling holds without it. With it not even memory taken between two looks gets past.
Source: Documentation/admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def delegated_folder(own: Path | None) -> Path | None:
    """Return the folder in which cgroups of our own with a memory limit can be made, or None.

    Args:
        own: Folder of this process's cgroup v2. A cgroup that holds processes cannot pass controllers on, so the usual
            place is its parent, delegated by the service manager (`Delegate=yes` with `DelegateSubgroup=`).
    """
    for folder in () if own is None else (own, own.parent):
        with suppress(OSError):
            if "memory" in (folder / "cgroup.subtree_control").read_text().split() and os.access(folder, os.W_OK):
                return folder
    return None


class SlotCgroup:
    """The cgroup of one slot: all its processes, whatever they fork."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def create(cls, parent: Path, name: str) -> SlotCgroup | None:
        """Make a cgroup below `parent`; None when the kernel refuses."""
        folder = parent / name
        try:
            folder.mkdir()
            (folder / "memory.oom.group").write_text("1")  # out of memory, all its processes go together
        except OSError:
            with suppress(OSError):
                folder.rmdir()
            return None
        return cls(folder)

    def admit(self, pid: int) -> None:
        """Move a process in; its future children come along."""
        with suppress(OSError):  # then polling alone bounds it
            (self._folder / "cgroup.procs").write_text(str(pid))

    def limit(self, ceiling_bytes: int | None) -> None:
        """Set the limit; None lifts it."""
        with suppress(OSError):
            (self._folder / "memory.swap.max").write_text("max" if ceiling_bytes is None else "0")
            (self._folder / "memory.max").write_text("max" if ceiling_bytes is None else str(ceiling_bytes))

    def ran_out(self) -> bool:
        """Tell whether the kernel has killed in it because the limit was reached."""
        with suppress(OSError):
            events = dict(line.split() for line in (self._folder / "memory.events").read_text().splitlines())
            return int(events.get("oom_kill", "0")) > 0
        return False

    def close(self) -> None:
        """Remove the cgroup; its processes are gone by then."""
        with suppress(OSError):
            self._folder.rmdir()
