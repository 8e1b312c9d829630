"""One attempt as the worker sees it: the operation's window on the world, and how it ends."""

from __future__ import annotations

import errno
import math
import os
import resource
import signal
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tightship.core.procfs import EVERY_CHILD, children
from tightship.core.scope import Scope
from tightship.errors import (
    EXTRAS,
    Cancelled,
    ConversionFailed,
    DiskFull,
    ExtraMissing,
    MemoryExceeded,
    OutputTooLarge,
    TightshipError,
)
from tightship.pool.deadline import Deadline
from tightship.pool.delivery import NO_SPACE
from tightship.pool.messages import Finished, Message, Partial, Progress, Run
from tightship.units import format_bytes

#: Progress is reported at most this often, in seconds: enough for a smooth bar, nothing next to a frame's decode.
REPORT_EVERY_S = 0.1
#: Most warnings kept of one attempt: a damaged file must not fill the memory with complaints about it.
MAX_WARNINGS = 50


class Assignment:
    """Implements `tightship.core.attempt.Attempt` on a channel to the parent."""

    def __init__(self, run: Run, input_fd: int, send: Callable[[Message], None]) -> None:
        self._run = run
        self._deadline = Deadline(**run.deadline)
        self._input_fd = input_fd
        self._session: object | None = None
        self._send = send
        self._cancelled = threading.Event()
        self._report_at_s = 0.0
        self._furthest = float("-inf")
        self.warnings: list[dict[str, str]] = []

    @property
    def input_fd(self) -> int:
        """Read-only descriptor of the input."""
        if self._input_fd < 0:
            raise ValueError("this attempt has no input")
        return self._input_fd

    @property
    def scratch(self) -> Path:
        """Folder of this attempt."""
        return Path(self._run.folder)

    @property
    def session(self) -> object | None:
        """What the module opened for this slot."""
        return self._session

    def join(self, session: object) -> None:
        """Work with `session` from now on."""
        self._session = session

    def cancel(self) -> None:
        """Make the next checkpoint raise; called from the thread that listens to the parent."""
        self._cancelled.set()

    def checkpoint(self, done: float, total: float | None, unit: str) -> bool:
        """Report progress; see `Attempt.checkpoint`. Only work that gets further counts as progress."""
        if self._cancelled.is_set():
            raise Cancelled("the job was cancelled")
        now_s = time.monotonic()
        if now_s >= self._report_at_s and self._furthest < done < float("inf"):
            self._furthest, self._report_at_s = done, now_s + REPORT_EVERY_S
            known = total is not None and math.isfinite(total)
            self._send(Progress(float(done), float(total) if total is not None and known else None, unit))
        return now_s >= self._run.began_s + self._deadline.after(done).soft_s

    def partial(self, payload: dict[str, object]) -> None:
        """Send a piece of the result."""
        self._send(Partial(payload))

    def warn(self, code: str, message: str) -> None:
        """Record a warning, up to `MAX_WARNINGS`."""
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append({"code": code, "message": message})


def conclude(assignment: Assignment, work: Callable[[Assignment], dict[str, Any]], scope: Scope) -> Finished:
    """Run `work` inside `scope` and return what to tell the parent, whatever happened.

    A fault becomes an error of ours without a traceback before the scope closes: a living traceback would keep every
    frame's decoders and buffers, and the receipt would count them as leaked.
    """
    result: dict[str, Any] | None = None
    error: TightshipError | None = None
    strays = 0
    try:
        with scope:
            try:
                result = work(assignment)
            except Exception as fault:  # noqa: BLE001 - every fault ends here, as an error of ours with its cause
                error = bare(as_error(fault))
            strays = end_stray_processes()
            if error is not None:
                raise error
    except TightshipError as ended:
        error = bare(ended)
    except ExceptionGroup as unreleased:
        error = error or bare(as_error(unreleased))
        assignment.warn("release_failed", f"not all could be released: {unreleased.exceptions[-1]}")
    told = error.to_dict() if error else None
    receipt = scope.receipt
    if strays:
        receipt = replace(receipt, released=(*receipt.released, f"{strays} stray processes"))
    return Finished(None if error else result, told, assignment.warnings, receipt.to_dict())


def bare(error: TightshipError) -> TightshipError:
    """Cut an error off from the frames and the errors it came from."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def as_error(fault: BaseException) -> TightshipError:
    """Return the error of ours for whatever an operation raised; what it was goes to the slot's log."""
    if isinstance(fault, BaseExceptionGroup):
        return as_error(fault.exceptions[0])
    if isinstance(fault, OutputTooLarge) or getattr(fault, "errno", None) == errno.EFBIG:
        return _too_large()
    if isinstance(fault, TightshipError):
        return fault
    if isinstance(fault, ModuleNotFoundError) and fault.name in EXTRAS:
        return ExtraMissing.of(fault.name)
    _log(fault)
    if isinstance(fault, MemoryError):
        return MemoryExceeded("the job ran out of memory")
    if getattr(fault, "errno", None) in NO_SPACE:
        return DiskFull("the disk is full; nothing half written was kept")
    return ConversionFailed(f"the operation failed: {type(fault).__name__}: {str(fault)[:500]}")


def _too_large() -> OutputTooLarge:
    limit_bytes, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return OutputTooLarge(
        f"the result grew past {format_bytes(limit_bytes)}, the largest file that a slot may write",
        limit_bytes=limit_bytes,
    )


def _log(fault: BaseException) -> None:
    text = "".join(traceback.format_exception(fault))
    with suppress(OSError):  # the log may lie on the very disk that is full
        os.write(2, text.encode("utf-8", "replace"))


def end_stray_processes() -> int:
    """Kill and reap every process that the operation left; as subreaper this process is the parent of them all.

    Returns:
        How many there were.
    """
    ended = 0
    while strays := children(os.getpid()):
        for pid in strays:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, EVERY_CHILD)
                ended += 1
    return ended
