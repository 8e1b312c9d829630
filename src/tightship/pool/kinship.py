"""The bonds between processes that supervision stands on."""

from __future__ import annotations

import ctypes
import os
import signal

# Source: include/uapi/linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, argument: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(argument), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), f"prctl {option}")


def die_with_parent(signum: int, parent_pid: int) -> None:
    """Get `signum` when the parent's thread that created this process ends; leave at once if it is gone already."""
    _prctl(_PR_SET_PDEATHSIG, signum)
    if os.getppid() != parent_pid:
        os._exit(0)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, `setsid` and double fork included."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def outlive_signals() -> None:
    """Take no notice of the signals that tell a whole service to stop: when to end is the pool's decision.

    Handlers that do nothing, because ignored signals would stay ignored in the programs this process starts.
    """
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda *_: None)
