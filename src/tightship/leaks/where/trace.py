"""Hear of every line that ends and of every audit event, and only for as long as somebody wants to.

Between two trace events of a thread, all that its C code did belongs to one line: so what is new then came from there,
whatever made it - no list of functions that open things is needed.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tightship.leaks.where.stack import is_own

#: Told when a line of a frame has run, and at which line the frame was.
LineEnded = Callable[[FrameType, int], None]
#: Told of an audit event, its arguments and the frame that raised it.
Audited = Callable[[str, tuple[Any, ...], FrameType], None]

#: Seconds that a thread waits for another to finish telling. No longer: what is told may wait for a lock of the traced
#: program, whose owner may be the one that waits here.
TELLING_S = 1.0

#: An audit hook can never be removed, so there is one for all and it looks here.
_listeners: list[tuple[frozenset[str], int, Audited]] = []
_installed: list[bool] = []
#: Whether this thread is telling a listener: what the listener does raises events of its own.
_hearing = threading.local()


@contextmanager
def tracing(ended: LineEnded, until: Callable[[], bool]) -> Iterator[None]:
    """Call `ended` after each line of this thread and of threads started meanwhile, until `until()` is true.

    It is called in one thread at a time, and not after this has ended: what it reads from may be closed then.
    """
    tracer = _Tracer(ended, until)
    before, before_threads = sys.gettrace(), threading.gettrace()
    threading.settrace(tracer.on_call)
    sys.settrace(tracer.on_call)
    try:
        yield
    finally:
        tracer.close()
        sys.settrace(before)
        threading.settrace(before_threads)


class _Tracer:
    def __init__(self, ended: LineEnded, until: Callable[[], bool]) -> None:
        self.ended = ended
        self.until = until
        self.off = False
        self.pid = os.getpid()
        # A finalizer that runs while this thread tells may have lines of its own.
        self._telling = threading.RLock()

    def close(self) -> None:
        """Tell nothing more; another thread may be at it just now."""
        self.off = True
        if self._telling.acquire(timeout=TELLING_S):
            self._telling.release()

    def on_call(self, frame: FrameType, _event: str, _argument: object) -> Any:
        if self._stopped(frame):
            return None
        caller = frame.f_back
        if caller is not None and not is_own(caller.f_code.co_filename):
            self._tell(caller, caller.f_lineno)
        return None if is_own(frame.f_code.co_filename) else self._follow(frame.f_lineno)

    def _follow(self, line: int) -> Any:
        """Return the local trace function of one activation of a function; no frame is held by it."""

        def on_event(frame: FrameType, event: str, _argument: object) -> Any:
            nonlocal line
            if self._stopped(frame):
                return None
            if event != "exception":
                self._tell(frame, line)
            line = frame.f_lineno
            return on_event

        return on_event

    def _tell(self, frame: FrameType, line: int) -> None:
        if self._telling.acquire(timeout=TELLING_S):
            try:
                if not self.off:
                    self.ended(frame, line)
            except Exception:
                # Closed in the middle of it, as nobody waits for ever: the traced program must not hear of that.
                if not self.off:
                    raise
            finally:
                self._telling.release()

    def _stopped(self, frame: FrameType) -> bool:
        # A forked child inherits the trace function; it is none of its business.
        if not self.off and (self.until() or os.getpid() != self.pid):
            self.off = True
        if self.off:
            frame.f_trace = None
            if sys.gettrace() == self.on_call:
                sys.settrace(None)
        return self.off


@contextmanager
def auditing(events: Collection[str], audited: Audited) -> Iterator[None]:
    """Call `audited` at each of the named audit events of this process, in whatever thread."""
    if not _installed:
        _installed.append(True)
        sys.addaudithook(_on_audit)
    entry = (frozenset(events), os.getpid(), audited)
    _listeners.append(entry)
    try:
        yield
    finally:
        _listeners.remove(entry)


def _on_audit(event: str, arguments: tuple[Any, ...]) -> None:
    for events, pid, audited in _listeners:
        # Even asking for the frame is an event, so the name is looked at first.
        if event in events and pid == os.getpid() and not getattr(_hearing, "now", False):
            _hearing.now = True
            try:
                audited(event, arguments, sys._getframe(1))
            finally:
                _hearing.now = False


@contextmanager
def hearing_thread_starts(started: Callable[[threading.Thread, FrameType], None]) -> Iterator[None]:
    """Call `started` with each thread that is started in whatever thread, and with the frame that starts it."""
    before = threading.Thread.start

    def start(self: threading.Thread) -> None:
        started(self, sys._getframe(1))
        before(self)

    # No audit event tells of threads before Python 3.12.
    threading.Thread.start = start  # type: ignore[method-assign]
    try:
        yield
    finally:
        threading.Thread.start = before  # type: ignore[method-assign]
