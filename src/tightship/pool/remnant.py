"""What a killed warden could not end: processes that its workers had started.

A warden needs no marks to find what is below it. Only when it is killed itself, and with it its workers, do their
descendants live on; they are found by a variable that all of a pool's processes inherit, unless they have cleared it.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from tightship.core.procfs import carriers, carries

#: Environment variable of the warden and all below it: the pool's folder.
MARK = "TIGHTSHIP_POOL"
#: Longest time spent on remnants that start others faster than they are killed, in seconds.
MOST_S = 1.0


def end_remnants(folder: Path) -> None:
    """Kill every process that belongs to the pool of `folder`."""
    give_up_at_s = time.monotonic() + MOST_S
    mark = f"{MARK}={folder}"
    while (pids := carriers(mark)) and time.monotonic() < give_up_at_s:
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                _end(pid, mark)


def _end(pid: int, mark: str) -> None:
    """Kill a process that bears the mark; its number may be another's by now, and is held on to while that is seen."""
    fd = os.pidfd_open(pid)
    try:
        if carries(pid, mark):
            signal.pidfd_send_signal(fd, signal.SIGKILL)
    finally:
        os.close(fd)
