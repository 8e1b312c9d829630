"""Ending a child process for certain, with everything it started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tightship.core import procfs
from tightship.errors import ReleaseFailed

#: Start of the name of the environment variable that marks a family; each has its own, so that families may nest.
MARK = "TIGHTSHIP_FAMILY_"
#: Seconds that the kernel gets to carry out SIGKILL; only a process stuck in the kernel needs more.
_KILL_S = 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.001, 0.05

#: Pid and start time: together they name one process for good.
_Member = tuple[int, int]


class Child:
    """A child process in a session of its own, with a mark in its environment that all it starts inherit.

    Args:
        args: The command.
        options: What `subprocess.Popen` takes.
    """

    def __init__(self, args: str | Sequence[str | os.PathLike[str]], options: Mapping[str, Any]) -> None:
        mark = f"{MARK}{os.urandom(12).hex().upper()}"
        self._mark = f"{mark}=1"
        inherited = options.get("env")
        environment = {**(os.environ if inherited is None else inherited), mark: "1"}
        self.process: subprocess.Popen[Any] = subprocess.Popen(
            args, **{**options, "env": environment, "start_new_session": True}
        )
        command = args.split() if isinstance(args, str) else list(args)
        self._name = Path(command[0]).name if command else "?"

    def __str__(self) -> str:
        return f"process {self.process.pid} ({self._name})"

    def end(self, grace_s: float) -> None:
        """End the process and all it started; reap it and close its pipes.

        All get SIGTERM, and after the grace SIGKILL. Found are its process group, its session, its descendants, and
        whatever carries the mark: daemons that have left the family, unless they were started with a clean environment.

        Raises:
            ReleaseFailed: A process is still there: not ours to kill, or stuck in the kernel.
        """
        family = self._family(set())
        if self.process.poll() is None or family:
            self._signal(family, signal.SIGTERM)
            self._wait(family, grace_s)
            family = self._family(family)
        deadline_s = time.monotonic() + _KILL_S
        while (self.process.poll() is None or family) and time.monotonic() < deadline_s:
            self._signal(family, signal.SIGKILL)
            self._wait(family, _LONGEST_PAUSE_S)
            family = self._family(family)
        self._close_pipes()
        if family:
            pids = ", ".join(str(pid) for pid, _ in sorted(family))
            raise ReleaseFailed(f"{self} left processes that could not be ended: {pids}", processes=len(family))

    def _family(self, known: set[_Member]) -> set[_Member]:
        """Return those that run: of the known, of what they started, of the session and of the marked."""
        pids = {pid for pid, started in known if procfs.is_running(pid, started)}
        pids.update(procfs.carriers(self._mark))
        if self._number_is_ours():
            pids.update([self.process.pid, *procfs.session_members(self.process.pid)])
        for pid in list(pids):
            pids.update(procfs.descendants(pid))
        found = {(pid, started) for pid in pids if (started := procfs.start_time(pid)) is not None}
        return {member for member in found if procfs.is_running(*member)}

    def _number_is_ours(self) -> bool:
        """Tell whether the pid still names our process, session and group.

        The kernel gives the number to a new process only when neither the process nor its session or group is left.
        """
        return self.process.returncode is None or procfs.start_time(self.process.pid) is None

    def _signal(self, family: set[_Member], number: signal.Signals) -> None:
        if self._number_is_ours():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)
        for pid, started in family:
            with suppress(ProcessLookupError, PermissionError):
                if os.getpgid(pid) != self.process.pid and procfs.is_running(pid, started):
                    os.kill(pid, number)

    def _wait(self, family: set[_Member], limit_s: float) -> None:
        deadline_s, pause_s = time.monotonic() + limit_s, _FIRST_PAUSE_S
        while self.process.poll() is None or any(procfs.is_running(*member) for member in family):
            remaining_s = deadline_s - time.monotonic()
            if remaining_s <= 0:
                return
            time.sleep(min(pause_s, remaining_s))
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _close_pipes(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            # What was still buffered for a process that is gone has no reader.
            with suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()
