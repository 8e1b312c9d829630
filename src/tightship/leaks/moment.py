"""A moment of time as a step, for a process that is only watched."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

from tightship.leaks.fault import StepFailed, StepNotFound

#: Length of a moment in seconds.
TICK_S = 0.05


def moment_of(pid: int) -> Callable[[], None]:
    """Return a step that lets a moment pass in which the process does its own work.

    Raises:
        StepNotFound: There is no such process.
    """
    try:
        process = psutil.Process(pid)
    except (psutil.NoSuchProcess, ValueError):
        raise StepNotFound(f"there is no process {pid}", pid=pid) from None

    def moment() -> None:
        time.sleep(TICK_S)
        if not process.is_running():
            raise StepFailed(f"process {pid} has ended", pid=pid)

    return moment
