"""Processes that a step has left behind: their parent has ended, so they are nobody's children."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from uuid import uuid4

from tightship.core import procfs
from tightship.leaks.audit import hearing

#: Set during a trial, and inherited by every program that is started meanwhile.
VARIABLE = "TIGHTSHIP_TRIAL"
#: What Python tells when it starts a process.
_STARTS = frozenset(
    ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn")
)


class Orphans:
    """Find them by what they inherited: the trial's mark, or the whole environment if they never ran a program.

    All processes of the machine are looked at, but only once the step has started one.
    """

    def __init__(self, variable: str = VARIABLE) -> None:
        self._mark = f"{variable}={uuid4().hex}"
        self._own = _origin(os.getpid())
        self._since = 0
        self._old: frozenset[int] = frozenset()
        self._has_started = False

    @contextmanager
    def marking(self) -> Iterator[Orphans]:
        """Mark what is started inside the block."""
        name, _, value = self._mark.partition("=")
        before = os.environ.get(name)
        os.environ[name] = value
        self._since, self._old = _newest_start(), frozenset(procfs.pids())
        try:
            with hearing(_STARTS, self._hear):
                yield self
        finally:
            if before is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = before

    def pids(self, known: Collection[int]) -> list[int]:
        """Return the orphans that are still there; `known` are this process and those below it."""
        if not self._has_started:
            return []
        young = (pid for pid in procfs.pids() if pid not in self._old and pid not in known)
        return [pid for pid in young if self._is_ours(pid, known)]

    def _hear(self, _event: str, _arguments: tuple[object, ...]) -> None:
        self._has_started = True

    def _is_ours(self, pid: int, known: Collection[int]) -> bool:
        fields = _content(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        # A child that was born after the others were counted has a parent, and is counted next time.
        if not fields or int(fields[1]) in known or int(fields[19]) < self._since:
            return False
        environment, command = _origin(pid)
        marked = b"\0" + self._mark.encode() + b"\0" in b"\0" + environment
        return marked or (bool(environment) and (environment, command) == self._own)


def _origin(pid: int) -> tuple[bytes, bytes]:
    """Return the environment and the command line that a process began with."""
    return _content(f"/proc/{pid}/environ"), _content(f"/proc/{pid}/cmdline")


def _content(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - looked at often
            return file.read()
    except OSError:
        return b""


def _newest_start() -> int:
    """Return the moment that new processes start after, in the kernel's ticks since boot."""
    uptime_s = float(_content("/proc/uptime").split()[0])
    return int(uptime_s * procfs.TICKS_PER_S) - 1
