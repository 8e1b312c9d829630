"""What a process holds beside memory, by key: descriptors, threads, children, temporary files."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Hashable
from pathlib import Path
from typing import Protocol

import psutil

_PROC = Path("/proc/self")
_SOCKET = "socket:"


class Table(Protocol):
    """One kind of resource."""

    def mark(self) -> Hashable:
        """Return something quick to read that changes when the keys do."""
        ...

    def keys(self) -> frozenset[Hashable]:
        """Return what there is now."""
        ...

    def identity(self, key: Hashable) -> str:
        """Return what tells a key from another that comes to bear its name later; empty when it is gone."""
        ...

    def describe(self, key: Hashable) -> str:
        """Return words for people."""
        ...


def _names(folder: str | Path) -> list[str]:
    return os.listdir(folder)  # noqa: PTH208  # read at each line that a step runs: names are enough


class Descriptors:
    """Open file descriptors, or only those of sockets."""

    def __init__(self, *, sockets: bool = False) -> None:
        self._sockets = sockets
        self._folder = next((name for name in ("/proc/self/fd", "/dev/fd") if Path(name).is_dir()), None)
        # Since Linux 6.2 the size of the folder is the number of descriptors.
        self._counted = self._folder is not None and self._size() == len(_names(self._folder)) - 1 > 0

    def _size(self) -> int:
        return os.stat(self._folder).st_size if self._folder else 0  # noqa: PTH116  # at each line: quick, no object

    def mark(self) -> Hashable:
        return self._size() if self._counted else self._numbers()

    def _numbers(self) -> frozenset[int]:
        if self._folder is None:
            return frozenset()
        return frozenset(int(name) for name in _names(self._folder))

    def keys(self) -> frozenset[Hashable]:
        found = ((number, self.identity(number)) for number in self._numbers())
        # The descriptor that read the folder is closed again, so it has no link.
        return frozenset(number for number, link in found if link and (not self._sockets or link.startswith(_SOCKET)))

    def identity(self, key: Hashable) -> str:
        try:
            if self._folder == "/proc/self/fd":
                return os.readlink(f"/proc/self/fd/{key}")  # noqa: PTH115  # a path object takes ten times as long
            status = os.fstat(int(str(key)))
        except OSError:
            return ""
        kind = _SOCKET if status.st_mode & 0o170000 == 0o140000 else "file"
        return f"{kind}[{status.st_dev}:{status.st_ino}]"

    def describe(self, key: Hashable) -> str:
        link = self.identity(key)
        return f"{link} {_address(int(str(key)))}".rstrip() if link.startswith(_SOCKET) else link


def _address(number: int) -> str:
    """Return a socket's protocol and its two ends, as far as they are known."""
    try:
        found = next((c for c in psutil.Process().net_connections(kind="all") if c.fd == number), None)
    except (psutil.Error, OSError):
        return ""
    if found is None:
        return ""
    kind = found.type.name.removeprefix("SOCK_").lower() if hasattr(found.type, "name") else str(found.type)
    protocol = {"stream": "TCP", "dgram": "UDP"}.get(kind, kind) if found.family.name != "AF_UNIX" else "unix"
    ends = [f"{end.ip}:{end.port}" if hasattr(end, "ip") else str(end) for end in (found.laddr, found.raddr) if end]
    return f"{protocol} {'->'.join(ends)}".strip()


class Threads:
    """Native threads, by the kernel's number."""

    def __init__(self) -> None:
        self._folder = _PROC / "task"
        self._here = self._folder.is_dir()

    def mark(self) -> Hashable:
        return os.stat(self._folder).st_nlink if self._here else threading.active_count()  # noqa: PTH116

    def keys(self) -> frozenset[Hashable]:
        if self._here:
            return frozenset(int(name) for name in _names(self._folder))
        return frozenset(thread.id for thread in psutil.Process().threads())

    def identity(self, key: Hashable) -> str:
        return f"thread {key}"

    def describe(self, key: Hashable) -> str:
        thread = next((thread for thread in threading.enumerate() if thread.native_id == key), None)
        if thread is None:
            return f'native thread "{self._native_name(key)}"'
        target = getattr(thread, "_target", None)
        name = getattr(target, "__qualname__", None) or f"{type(thread).__qualname__}.run"
        return f'thread "{thread.name}" running {name}'

    def _native_name(self, key: Hashable) -> str:
        try:
            return (self._folder / str(key) / "comm").read_text().strip()
        except OSError:
            return str(key)


class Children:
    """Direct child processes."""

    def __init__(self) -> None:
        tasks = _PROC / "task"
        self._tasks = tasks if (tasks / str(threading.get_native_id()) / "children").exists() else None

    def mark(self) -> Hashable:
        if self._tasks is None:
            return self.keys()
        found: list[str] = []
        for name in _names(self._tasks):
            try:
                found.append((self._tasks / name / "children").read_text())
            except OSError:
                continue
        return "".join(found)

    def keys(self) -> frozenset[Hashable]:
        if self._tasks is None:
            return frozenset(child.pid for child in psutil.Process().children())
        return frozenset(int(pid) for pid in str(self.mark()).split())

    def identity(self, key: Hashable) -> str:
        try:
            return f"process {key} {psutil.Process(int(str(key))).create_time()}"
        except psutil.Error:
            return ""

    def describe(self, key: Hashable) -> str:
        return describe_process(int(str(key)))


def describe_process(pid: int) -> str:
    """Return a process's number and command line."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return f"process {pid}: {process.name()} (ended, nobody waited for it)"
        return f"process {pid}: {' '.join(process.cmdline()) or process.name()}"
    except psutil.Error:
        return f"process {pid}"


class TemporaryFiles:
    """Entries of the folders for temporary files and for shared memory; audit events tell of those deeper down."""

    def __init__(self) -> None:
        self._folders = [name for name in ("/dev/shm", tempfile.gettempdir()) if Path(name).is_dir()]

    def mark(self) -> Hashable:
        return self.keys()

    def keys(self) -> frozenset[Hashable]:
        return frozenset(os.path.join(folder, name) for folder in self._folders for name in _names(folder))  # noqa: PTH118

    def identity(self, key: Hashable) -> str:
        return str(key) if os.path.lexists(str(key)) else ""

    def describe(self, key: Hashable) -> str:
        return str(key)
