"""Ctrl-C once asks the job to stop; twice ends it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: What stops a program: Ctrl-C, and a service manager.
_STOPS = (signal.SIGINT, signal.SIGTERM)


def hold_back() -> None:
    """Keep both signals back until `open_cancel` hears them: while modules load nobody could tell of them."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)


@contextmanager
def open_cancel() -> Iterator[threading.Event]:
    """Yield an event that SIGINT and SIGTERM set, those held back included; a second SIGINT raises KeyboardInterrupt.

    Signals after that do nothing: what is left to do is to end the workers, which takes a bounded time. After the block
    both stay ignored: the program is about to exit, and its code must tell how the job ended.
    """
    cancel = threading.Event()
    interrupts = 0

    def interrupted(_signum: int, _frame: FrameType | None) -> None:
        nonlocal interrupts
        interrupts += 1
        cancel.set()
        if interrupts == 2:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, lambda *_: cancel.set())
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
    try:
        yield cancel
    finally:
        for signum in _STOPS:
            signal.signal(signum, signal.SIG_IGN)
