"""Where slots are born: the pool's folder, its warden, and the breaker against workers that die without work."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tightship.core.restart import Breaker
from tightship.core.scratch import ScratchRoot, SweepReport, hold, remove_tree
from tightship.errors import DiskFull, OutputUnwritable, ScopeMisused, SlotsUnavailable, WorkerDied
from tightship.pool.config import PoolConfig
from tightship.pool.delivery import NO_SPACE
from tightship.pool.remnant import end_remnants
from tightship.pool.slot import Slot
from tightship.pool.supervision import Supervision
from tightship.pool.task import Task

#: Faults that say nothing about the place they were met at: too many open files, no memory, no space.
_PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, *NO_SPACE)


class Nursery:
    """Open slots, from many threads at once; warden and folder come with the first.

    Args:
        config: The pool's settings.
        scratch: Where the pool's folder is made.
    """

    def __init__(self, config: PoolConfig, scratch: ScratchRoot) -> None:
        self._config = config
        self._scratch = scratch
        self._lock = threading.Lock()
        self._supervision: Supervision | None = None
        self._folder: Path | None = None
        self._held_fd = -1
        self._born = 0
        self._ended = False
        self._breaker = Breaker(config.restarts)

    def sweep(self) -> SweepReport:
        """Remove what pools of dead processes have left, and end what lives on of them.

        Raises:
            OutputUnwritable: The home cannot be used.
        """
        with _usable(self._scratch.path):
            return self._scratch.sweep(end_remnants)

    def open_slot(self, task: Task) -> Slot:
        """Start a worker whose first task this is.

        Raises:
            SlotsUnavailable, WorkerDied, OutputUnwritable, DiskFull: None could be started.
            ScopeMisused: The pool is closed.
        """
        wait_s = self._breaker.retry_after_s(time.monotonic())
        if wait_s > 0:
            raise SlotsUnavailable(f"workers keep dying; none is started for {wait_s:.1f} s", retry_after_s=wait_s)
        own: Path | None = None
        try:
            with self._lock:
                supervision, folder = self._supervised()
                self._born = number = self._born + 1
                own = folder / f"slot-{number}"
            own.mkdir(mode=0o700)
            return Slot(supervision, own, self._config, task, number)
        except BaseException as fault:
            if own is not None:
                remove_tree(own)
            if isinstance(fault, WorkerDied | OSError):
                self._explain(fault)
            raise

    def _explain(self, fault: WorkerDied | OSError) -> None:
        """Raise what a failed start comes to."""
        if self._ended:
            raise ScopeMisused("the pool is closed") from None
        if isinstance(fault, WorkerDied):
            self.lost_one()
        elif fault.errno in NO_SPACE:
            raise DiskFull("the disk of the home folder is full: no worker could be started") from None
        else:
            raise WorkerDied(f"no worker could be started: {fault.strerror}") from None

    def _supervised(self) -> tuple[Supervision, Path]:
        if self._ended:
            raise ScopeMisused("the pool is closed")
        if self._folder is None:
            with _usable(self._scratch.path):
                folder = self._scratch.open_folder("pool")
                self._held_fd = hold(folder)
                self._folder = folder
        self._bury_warden()
        if self._supervision is None:
            self._supervision = Supervision(self._folder, self._config.import_paths)
        return self._supervision, self._folder

    def bury_warden(self) -> None:
        """End what a warden that is dead can end no more; one that lives is left alone."""
        with self._lock:
            self._bury_warden()

    def _bury_warden(self) -> None:
        if self._supervision is not None and not self._supervision.alive():
            self._supervision.close()
            self._supervision = None

    def lost_one(self) -> None:
        """Count a worker that died without work."""
        with self._lock:
            self._breaker = self._breaker.died(time.monotonic())

    @property
    def warden_pid(self) -> int | None:
        """Process id of the warden, once there is one."""
        supervision = self._supervision
        return None if supervision is None else supervision.pid

    def end_warden(self) -> None:
        """End the warden, and with it every worker; no slot is opened from now on."""
        with self._lock:
            self._ended = True
            supervision = self._supervision
        if supervision is not None:
            supervision.close()

    def close(self) -> None:
        """Remove the folder; the warden has ended."""
        with self._lock:
            folder, self._folder = self._folder, None
        if folder is not None:
            remove_tree(folder)
            os.close(self._held_fd)


@contextmanager
def _usable(folder: Path) -> Iterator[None]:
    """Say it plainly when the home is not a folder, or may not be read or written."""
    try:
        yield
    except OSError as fault:
        if fault.errno in _PASSING:
            raise
        home = str(folder.parent)
        message = f"the home folder {home!r} cannot be used: {fault.strerror}; TIGHTSHIP_HOME may name another"
        raise OutputUnwritable(message, home=home) from None
