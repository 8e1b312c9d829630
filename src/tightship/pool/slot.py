"""One worker process as the parent holds it: warm between attempts, replaced when it is dead or worn."""

from __future__ import annotations

import logging
import os
import random
import stat
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tightship.core.governor import SlotState
from tightship.core.gpu import device_bytes
from tightship.core.opening import Opening
from tightship.core.receipt import Receipt
from tightship.core.scratch import remove_tree
from tightship.errors import DiskFull, TightshipError, from_dict
from tightship.pool import obituary
from tightship.pool.channel import ChannelClosed
from tightship.pool.config import PoolConfig
from tightship.pool.delivery import NO_SPACE, deliver
from tightship.pool.messages import Exited, Finished
from tightship.pool.supervision import Lines, Supervision, last_words, log_of
from tightship.pool.task import Outcome, Task
from tightship.pool.vigil import Event, Vigil, end, news_of
from tightship.units import format_bytes

#: Why a slot went, where its cause needs words.
_PARTINGS = {"exit 0": "it was idle", "recycled": "worn, or to make room", "closed": "the end of all"}

_log = logging.getLogger("tightship")

#: Largest folder that serves the next attempt, too, in bytes: its own entries take that much, not what they hold.
DESK_BYTES = 64 * 2**10


class SlotGone(Exception):
    """The worker was dead before it took the attempt on: nothing was tried, so another slot may."""


class Slot:
    """A worker process and what is known of it.

    Args:
        supervision: The warden that starts it.
        folder: Its own folder, which exists; removed when the slot closes.
        config: The pool's settings.
        task: The first that it is for: it is kept warm for others of the same `key`, and may read what that one needs.
        number: Its own among all slots of the pool, those that are gone included.

    Raises:
        WorkerDied: The worker did not start.
    """

    def __init__(self, supervision: Supervision, folder: Path, config: PoolConfig, task: Task, number: int) -> None:
        self.key = task.key
        self.number = number
        self.jobs_done = 0
        self.baseline_bytes: int | None = None
        self.held_bytes = 0
        self.jitter = random.random()
        self.exited: Exited | None = None
        self._born_s = time.monotonic()
        self._folder = folder
        self._desk: Path | None = None
        self._opening: Opening | None = None
        self._session_name = task.session_name
        self._config = config
        confinement = replace(config.confinement, readable=(*config.confinement.readable, *task.readable))
        idle_s = config.idle_s if task.session is None else config.model_idle_s
        self._lines: Lines = supervision.spawn(folder, idle_s, confinement, config.start_s)

    @property
    def pid(self) -> int:
        """Process id of the worker."""
        return self._lines.pid

    @property
    def confined_by(self) -> tuple[str, ...]:
        """What the worker's confinement enforces."""
        return self._lines.confined_by

    def run(
        self,
        task: Task,
        source_fd: int | None,
        ceiling_bytes: int,
        on_event: Callable[[Event], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> Outcome:
        """Run one attempt to its end, whatever that is.

        Raises:
            SlotGone: The worker was dead already.
            DiskFull: There is no room for the attempt's folder.
        """
        try:
            folder = self._desk or Path(tempfile.mkdtemp(prefix="attempt-", dir=self._folder))
        except OSError as fault:
            if fault.errno in NO_SPACE:
                raise DiskFull("the disk of the home folder is full: nothing was begun") from None
            raise SlotGone(str(fault)) from None
        vigil = Vigil(self._lines, task, ceiling_bytes, self._config.cancel_grace_s, on_event, cancel)
        try:
            ending = vigil.keep(folder, source_fd)
            if isinstance(ending, Exited):
                outcome = self._bury(ending, vigil, task, ceiling_bytes)
            else:
                outcome = self._conclude(ending, vigil, task, folder)
            size_bytes = None if source_fd is None else os.fstat(source_fd).st_size
            receipt = replace(outcome.receipt, slot=self.number, size_bytes=size_bytes, opening=None)
            return replace(outcome, receipt=self._with_opening(receipt, vigil.opening))
        finally:
            self._tidy(folder)

    def _with_opening(self, receipt: Receipt, opening: Opening | None) -> Receipt:
        if opening is None:
            return receipt
        self._opening = opening
        peak_bytes = None if receipt.peak_bytes is None else max(receipt.peak_bytes, opening.peak_bytes)
        return replace(receipt, peak_bytes=peak_bytes, opening=opening)

    @property
    def left(self) -> bool:
        """Whether the worker has left by itself, having had no work."""
        return self.exited is not None and self.exited.cause == "exit 0"

    def is_gone(self) -> bool:
        """Tell, between two attempts, whether the worker is dead or has left."""
        if self.exited is None:
            self.exited = news_of(self._lines)
        return self.exited is not None

    def state(self, ceiling_bytes: int) -> SlotState:
        """Return the slot between two attempts, as the governor sees it."""
        return SlotState(
            slot=self.pid,
            busy=False,
            used_bytes=self.held_bytes,
            base_bytes=self.baseline_bytes,
            reserved_bytes=0,
            ceiling_bytes=ceiling_bytes,
            jobs_done=self.jobs_done,
        )

    def close(self, why: str) -> Receipt:
        """End the process and return its receipt.

        Killing is not rough here: between attempts the worker holds nothing that its end does not free.
        """
        if self.exited is None:
            self.exited = end(self._lines, why)
        self._lines.close()
        left = remove_tree(self._folder)
        receipt = obituary.receipt_of_process(self.exited, why, time.monotonic() - self._born_s, tuple(left))
        self._tell_of_unloading(why)
        return replace(receipt, slot=self.number, opening=self._opening)

    def _tell_of_unloading(self, why: str) -> None:
        """Log what the end of the process has given back: all of it, as nothing of a dead process is held."""
        if self._opening is None:
            return
        held = format_bytes(max(self.held_bytes, self._opening.after_bytes))
        came_back = f"its process held {held} of memory and is gone ({_PARTINGS.get(why, why)})"
        if self._opening.gpu_before_bytes is not None and (in_use_bytes := device_bytes()) is not None:
            came_back = f"{came_back}; GPU memory in use is {format_bytes(in_use_bytes)}"
        _log.info("The model %s is unloaded: %s.", self._session_name, came_back)

    def _tidy(self, folder: Path) -> None:
        """Empty the attempt's folder, and remove what the worker's libraries left beside it; only the log stays.

        What cannot be removed costs the worker its life: it may be the one who keeps it from going.
        """
        try:
            # Kept for the next attempt, because some disks take milliseconds to remove a folder.
            self._desk = folder if _is_as_new(folder) else None
            kept = {log_of(self._folder).name, self._desk.name if self._desk else ""}
            with os.scandir(self._folder) as entries:
                others = [Path(entry) for entry in entries if entry.name not in kept]
            left = [remove_tree(other) for other in others]
        except OSError:
            left = [[str(self._folder)]]
        if any(left) and self.exited is None:
            self.exited = end(self._lines, "untidy")

    def _bury(self, exited: Exited, vigil: Vigil, task: Task, ceiling_bytes: int) -> Outcome:
        self.exited = exited
        if vigil.started is None and exited.cause not in ("deadline", "no_progress", "memory", "cancelled"):
            raise SlotGone(exited.cause)
        error = obituary.error_of(exited, task, ceiling_bytes, vigil.progress, last_words(self._folder))
        receipt = obituary.receipt_of(exited, task, vigil.started, time.monotonic() - vigil.began_s)
        return Outcome(None, error, receipt, last_progress=_as_tuple(vigil))

    def _conclude(self, finished: Finished, vigil: Vigil, task: Task, folder: Path) -> Outcome:
        try:
            receipt = Receipt.from_dict(finished.receipt)
            error = None if finished.error is None else from_dict(finished.error)
            self.held_bytes = (receipt.base_bytes or 0) + (receipt.retained_bytes or 0)
        except ValueError:
            self.exited = end(self._lines, "nonsense")
            return self._bury(self.exited, vigil, task, 0)
        with suppress(ChannelClosed):  # it died after its answer: the next use finds out
            vigil.release()
        if error is None and task.deliver is not None and finished.result is not None:
            error = _deliver(folder, finished.result.get("output"), task.deliver)
            if error is not None:
                receipt = replace(receipt, outcome="failed", cause=error.code)
        self.jobs_done += 1
        if self.baseline_bytes is None:
            self.baseline_bytes = self.held_bytes
        result = finished.result if error is None else None
        return Outcome(result, error, receipt, tuple(finished.warnings), _as_tuple(vigil))

    def __repr__(self) -> str:
        state = "dead" if self.exited else f"{self.jobs_done} jobs done"
        return f"<Slot pid {self.pid}, {state}>"


def _is_as_new(folder: Path) -> bool:
    """Tell whether a folder is empty and small; one that once had many entries stays large, and is not used again."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_size > DESK_BYTES or found.st_mode & 0o777 != 0o700:
        return False
    with os.scandir(folder) as entries:
        return next(entries, None) is None


def _deliver(folder: Path, name: object, destination: Path) -> TightshipError | None:
    try:
        deliver(folder, name, destination)
    except TightshipError as error:
        return error
    return None


def _as_tuple(vigil: Vigil) -> tuple[float, float | None, str] | None:
    progress = vigil.progress
    return None if progress is None else (progress.done, progress.total, progress.unit)
