"""Processes that a step has left behind, and their end."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

import psutil

from tightship.core import procfs
from tightship.leaks.orphan import Orphans

#: Set around a trial whose leftovers are ended, and inherited by every program that is started meanwhile.
VARIABLE = "TIGHTSHIP_LEFTOVER"
#: Times that is looked for more: what is ended may have started another one in the meantime.
ROUNDS = 3
#: Seconds for the kernel to take a process away.
END_S = 5.0


@contextmanager
def leftovers_ended() -> Iterator[None]:
    """End what was started inside the block and is still there after it, orphans included.

    For a process whose only purpose is the trial: in another one, a pool that the block has started may serve on.
    """
    before = _below()
    if not procfs.available():
        try:
            yield
        finally:
            end(_below() - before)
        return
    with Orphans(VARIABLE).marking() as orphans:
        try:
            yield
        finally:
            for _ in range(ROUNDS):
                below = _below()
                left = below - before | _processes(orphans.pids({os.getpid(), *(each.pid for each in below)}))
                if not left:
                    break
                end(left)


def end(processes: Collection[psutil.Process]) -> None:
    """Kill processes and wait until they are gone."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=END_S)


def _below() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def _processes(pids: Collection[int]) -> set[psutil.Process]:
    found: set[psutil.Process] = set()
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            found.add(psutil.Process(pid))
    return found
