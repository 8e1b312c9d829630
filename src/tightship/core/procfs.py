"""Linux's own account of processes, read from `/proc` with the standard library alone.

The supervising process polls with these functions, so they open one file each and parse no more than they need. A
process that is gone, or dead and not yet reaped, counts as nothing: the readers answer 0, `None` or an empty list.
"""

from __future__ import annotations

import os
import time

#: Ticks per second of the times in `/proc/<pid>/stat`.
TICKS_PER_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100

#: Read size: `status` and `stat` fit in one read, so that each is a consistent picture; but for the `status` of who is
#: in a thousand groups.
_READ_BYTES = 8192
#: Children of every kind, those that end without a SIGCHLD too (`__WALL`, which Python does not name).
EVERY_CHILD = 0x40000000
#: A process is on its way out. Source: include/linux/sched.h
_PF_EXITING = 0x4
#: Longest wait for a new program to be in place, in seconds.
_EXEC_S = 0.5
#: What the kernel answers for a process that is gone, or goes while it is read.
_GONE = (FileNotFoundError, ProcessLookupError)


def available() -> bool:
    """Tell whether this system has the `/proc` that the readers need."""
    return _AVAILABLE


def memory_bytes(pid: int) -> int:
    """Return the memory that belongs to `pid`: anonymous, shared and swapped, without mapped files.

    Memory shared between processes counts in each of them.
    """
    return _memory_bytes(_status(pid))


def high_water_bytes(pid: int) -> int:
    """Return the most memory `pid` held since it started, or since its `PeakReset` was last used.

    The kernel keeps the mark for all resident pages; the file pages resident now are taken off. The answer is exact as
    long as these did not change much since the peak, and it is never below `memory_bytes`.
    """
    return memory_and_high_water_bytes(pid)[1]


def memory_and_high_water_bytes(pid: int) -> tuple[int, int]:
    """Return `memory_bytes` and `high_water_bytes` of one moment."""
    status = _status(pid)
    held_bytes = _memory_bytes(status)
    return held_bytes, max(_size_bytes(status, b"\nVmHWM:") - _size_bytes(status, b"\nRssFile:"), held_bytes)


def tree_memory_bytes(pid: int) -> int:
    """Return `memory_bytes` of `pid` and all its descendants together."""
    return memory_bytes(pid) + sum(memory_bytes(child) for child in descendants(pid))


def pss_bytes(pid: int) -> int | None:
    """Return the proportional set size, or None where it may not be read; it costs milliseconds per gigabyte."""
    try:
        return _size_bytes(_read(f"/proc/{pid}/smaps_rollup"), b"\nPss:")
    except PermissionError:
        return None


def start_time(pid: int) -> int | None:
    """Return when `pid` started, in clock ticks since boot: with the pid it names one process for good."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def is_running(pid: int, started: int | None) -> bool:
    """Tell whether the process that started as `pid` at `started` still runs; a zombie does not."""
    fields = _stat(pid)
    return bool(fields) and int(fields[19]) == started and (fields[0] not in (b"Z", b"X") or int(fields[17]) > 1)


def is_ending(pid: int) -> bool:
    """Tell whether `pid` has ended or is about to: its files are closed before anybody can wait for it."""
    fields = _stat(pid)
    return not fields or bool(int(fields[6]) & _PF_EXITING)


def children(pid: int) -> list[int]:
    """Return the children of `pid`, zombies included."""
    if pid == os.getpid() and not _has_children():
        return []
    if not _HAS_CHILDREN_FILES:
        return [other for other in pids() if _field(other, 1) == pid]
    found: list[int] = []
    for thread in _list(f"/proc/{pid}/task"):
        found.extend(map(int, _read(f"/proc/{pid}/task/{thread}/children").split()))
    return found


def descendants(pid: int) -> list[int]:
    """Return children, their children and so on, parents first.

    A process whose parent has ended is no longer below `pid`; in a tree that changes meanwhile one may be missed.
    """
    found = children(pid)
    for child in found:
        found.extend(grandchild for grandchild in children(child) if grandchild not in found)
    return found


def session_members(session: int) -> list[int]:
    """Return the processes of a session, orphans included; it looks at every process of the machine."""
    return [pid for pid in pids() if _field(pid, 3) == session]


def carriers(variable: str) -> list[int]:
    """Return the processes that started with `variable` ("NAME=value") in their environment.

    It is inherited, so it marks a family beyond sessions and dead parents. Processes that may not be looked into are
    left out; it looks at every process of the machine.
    """
    return [pid for pid in pids() if carries(pid, variable)]


def carries(pid: int, variable: str) -> bool:
    """Tell whether `pid` started with `variable` ("NAME=value") in its environment; False where it may not be seen."""
    try:
        environment = _environment(pid)
    except PermissionError:
        return False
    return b"\0" + os.fsencode(variable) + b"\0" in b"\0" + environment


def _environment(pid: int) -> bytes:
    """Return what `pid` started with; while the kernel still puts a new program in place, there is none to be read."""
    give_up_at_s = time.monotonic() + _EXEC_S
    while not (environment := _read(f"/proc/{pid}/environ")):
        fields = _stat(pid)
        begins = bool(fields) and int(fields[20]) > 0 and fields[48:49] == [b"0"]  # it has memory, and no environment
        if not begins or time.monotonic() > give_up_at_s:
            break
        time.sleep(0.001)
    return environment


def pids() -> list[int]:
    """Return every process that can be seen."""
    return [int(name) for name in _list("/proc") if name.isdigit()]


def fds(pid: int) -> int | None:
    """Return the number of open descriptors, or None where they may not be counted."""
    try:
        count = len(_list(f"/proc/{pid}/fd"))
    except PermissionError:
        return None
    # Listing one's own descriptors opens one.
    return count - 1 if pid == os.getpid() else count


def threads(pid: int) -> int:
    """Return the number of native threads."""
    return threads_and_cpu_s(pid)[0]


def cpu_s(pid: int) -> float:
    """Return CPU seconds, user and system, of `pid` and of the children it has waited for."""
    return _own_cpu_s() if pid == os.getpid() else threads_and_cpu_s(pid)[1]


def threads_and_cpu_s(pid: int) -> tuple[int, float]:
    """Return `threads` and `cpu_s` of one moment."""
    fields = _stat(pid)
    alive = bool(fields) and fields[0] != b"Z"
    took_s = _own_cpu_s() if pid == os.getpid() else sum(map(int, fields[11:15])) / TICKS_PER_S
    return int(fields[17]) if alive else 0, took_s


class PeakReset:
    """Set this process's high-water mark back to what it holds now.

    The file is opened once, at construction: do that before the process is confined. Where it cannot be opened,
    `available` is False and the mark stays what it has been since the process started; a peak inside a scope is then
    only known when it is a new record, and otherwise falls back to the values sampled at its two ends.
    """

    def __init__(self) -> None:
        self._fd: int | None
        try:
            self._fd = os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            self._fd = None
        self._pid = os.getpid()

    @property
    def available(self) -> bool:
        """Whether `reset` works: the file is open, and it is this process's, not that of one it was forked from."""
        return self._fd is not None and self._pid == os.getpid()

    def reset(self) -> bool:
        """Reset the mark; return whether that was possible."""
        if self._fd is None or self._pid != os.getpid():
            return False
        try:
            # "5" is the kernel's word for "reset the peak resident set size".
            os.write(self._fd, b"5")
        except OSError:
            self.close()
            return False
        return True

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def __repr__(self) -> str:
        return f"<PeakReset {'available' if self.available else 'not available'}>"


def _own_cpu_s() -> float:
    """Return what `/proc` tells in ticks, of a hundredth of a second mostly: a short job takes none of them."""
    return time.process_time() + sum(os.times()[2:4])


def _status(pid: int) -> bytes:
    """Return the account of a process; where its first thread has ended, that of one that tells what they all hold."""
    status = _read(f"/proc/{pid}/status", at_once=True)
    if b"\nState:\tZ" in status:
        for thread in _list(f"/proc/{pid}/task"):
            other = _read(f"/proc/{pid}/task/{thread}/status", at_once=True)
            if b"\nRssAnon:" in other:
                return other
    return status


def _memory_bytes(status: bytes) -> int:
    return _size_bytes(status, b"\nRssAnon:") + _size_bytes(status, b"\nRssShmem:") + _size_bytes(status, b"\nVmSwap:")


def _size_bytes(text: bytes, key: bytes) -> int:
    """Return the size after `key`, 0 without one; its newline keeps a process's own name from posing as the key."""
    start = text.find(key)
    return int(text[start + len(key) : text.index(b" kB", start)]) * 1024 if start >= 0 else 0


def _read(path: str, *, at_once: bool = False) -> bytes:
    """Return a file's content; `at_once` is for one that the kernel gives whole when it fits: no look for more then."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except _GONE:
        return b""
    try:
        text = os.read(fd, _READ_BYTES)
        while not (at_once and len(text) % _READ_BYTES) and (more := os.read(fd, _READ_BYTES)):
            text += more
        return text
    except _GONE:
        return b""
    finally:
        os.close(fd)


def _has_children() -> bool:
    """Whether this process has any, of any of its threads; one call to the kernel instead of a list of each thread."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT | EVERY_CHILD)
    except ChildProcessError:
        return False
    except OSError:  # a kernel that does not know `EVERY_CHILD` here
        return True
    return True


def _list(path: str) -> list[str]:
    try:
        return os.listdir(path)  # noqa: PTH208 - this module's import is kept small
    except _GONE:
        return []


def _stat(pid: int) -> list[bytes]:
    """Return the fields from the third (state) on; the second may hold spaces and parentheses of its own."""
    _, _, fields = _read(f"/proc/{pid}/stat", at_once=True).rpartition(b")")
    return fields.split()


def _field(pid: int, index: int) -> int | None:
    fields = _stat(pid)
    return int(fields[index]) if fields else None


_AVAILABLE = os.path.exists("/proc/self/status")  # noqa: PTH110 - this module's import is kept small
#: Some kernels and sandboxes have no `children` files; there, every process is asked for its parent.
_HAS_CHILDREN_FILES = os.path.exists("/proc/thread-self/children")  # noqa: PTH110 - as above
