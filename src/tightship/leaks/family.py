"""Readings of a process and of the children that live as long as it does, from Linux's own account."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass

from tightship.core import procfs
from tightship.leaks.gauge import MAPPED
from tightship.leaks.orphan import Orphans

#: Seconds to wait for a thread that was joined but has not left the system yet, each time and in all.
THREAD_EXIT_S, THREAD_EXITS_S = 0.05, 0.5
#: Between two looks at it.
_LOOK_S = 0.001
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass(frozen=True)
class _Handles:
    fds: int
    sockets: int


class Family:
    """Memory, descriptors and threads of a process; those of its children count if they were there a look ago.

    A child that comes and goes within a step moves nothing but the number of descendants, and that only while it lives.
    """

    names = ("rss", MAPPED, "children_rss", "fds", "sockets", "threads", "descendants")

    def __init__(self, pid: int, orphans: Orphans | None = None) -> None:
        self.pid = pid
        self._orphans = orphans
        self._is_own = pid == os.getpid()
        self._started = procfs.start_time(pid)
        self._seen: dict[int, int | None] = {}
        self._left: list[int] = []
        self._exiting = 0
        self._patience_s = THREAD_EXITS_S

    def pids(self) -> list[int]:
        """Return the process and its long-lived children, as of the last look."""
        return [self.pid, *self._seen]

    def is_gone(self) -> bool:
        """Tell whether the watched process has ended."""
        return not self._is_own and not procfs.is_running(self.pid, self._started)

    def read(self, settled: bool, /) -> tuple[float, ...]:
        """Return the values, in the order of `names`."""
        if settled and self._is_own:
            self._wait_for_exits()
        below = procfs.descendants(self.pid)
        if self._orphans is not None:
            if settled:
                self._left = self._orphans.pids({self.pid, *below})
            below += self._left
        started = {pid: procfs.start_time(pid) for pid in below}
        lasting = [pid for pid, start in started.items() if self._seen.get(pid, -1) == start]
        if settled:
            self._seen = started
        # What kind a descriptor is costs a call for each; before the collector ran, their number is enough.
        handles = [_handles(pid) if settled else _Handles(_count_fds(pid), 0) for pid in (self.pid, *lasting)]
        return (
            float(procfs.memory_bytes(self.pid)),
            float(_mapped_bytes(self.pid)),
            float(sum(map(procfs.memory_bytes, lasting))),
            float(sum(handle.fds for handle in handles)),
            float(sum(handle.sockets for handle in handles)),
            float(_threads(self.pid) + sum(map(procfs.threads, lasting))),
            float(len(below)),
        )

    def _wait_for_exits(self) -> None:
        """Give threads that Python has joined the moment that the system needs to end them."""
        until_s = time.monotonic() + min(THREAD_EXIT_S, self._patience_s)
        began_s = time.monotonic()
        exiting = _threads(self.pid) - threading.active_count()
        while exiting > self._exiting and time.monotonic() < until_s:
            time.sleep(_LOOK_S)
            exiting = _threads(self.pid) - threading.active_count()
        self._patience_s -= time.monotonic() - began_s
        self._exiting = exiting


def _threads(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208 - looked at often
    except OSError:
        return 0


def _handles(pid: int) -> _Handles:
    fds = sockets = 0
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)  # noqa: PTH208 - looked at often
    except OSError:
        return _Handles(0, 0)
    for name in names:
        try:
            target = os.readlink(f"{folder}/{name}")  # noqa: PTH115 - looked at often
        except OSError:  # the one that listed the folder, or one that another thread has just closed
            continue
        fds += 1
        sockets += target.startswith("socket:")
    return _Handles(fds, sockets)


def _count_fds(pid: int) -> int:
    try:
        return procfs.fds(pid) or 0
    except OSError:
        return 0


def _mapped_bytes(pid: int) -> int:
    """Return what is mapped in all, and again what of it can be written to and is private.

    A thread's arena of malloc is mapped at once and made writable bit by bit, which only the second tells; shared
    memory shows only in the first.
    """
    try:
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as statm:  # noqa: PTH123 - looked at often
            pages = statm.read(256).split()
        return (int(pages[0]) + int(pages[5])) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


class PortableFamily:
    """The same through psutil, where there is no `/proc`: no sockets, and resident memory with mapped files."""

    names = ("rss", "children_rss", "fds", "threads", "descendants")

    def __init__(self, pid: int) -> None:
        import psutil

        self._psutil = psutil
        self._process = psutil.Process(pid)
        self.pid = pid

    def pids(self) -> list[int]:
        """Return the process alone."""
        return [self.pid]

    def is_gone(self) -> bool:
        """Tell whether the watched process has ended."""
        return not self._process.is_running()

    def read(self, _settled: bool, /) -> tuple[float, ...]:
        """Return the values, in the order of `names`."""
        gone = (self._psutil.NoSuchProcess, self._psutil.AccessDenied)
        try:
            below = self._process.children(recursive=True)
            own = (self._process.memory_info().rss, _descriptors(self._process), self._process.num_threads())
        except gone:
            return (0.0,) * len(self.names)
        children_bytes = 0
        for child in below:
            try:
                children_bytes += child.memory_info().rss
            except gone:
                continue
        return (float(own[0]), float(children_bytes), float(own[1]), float(own[2]), float(len(below)))


def _descriptors(process: object) -> int:
    count = getattr(process, "num_fds", None) or getattr(process, "num_handles", None)
    return int(count()) if count else 0
