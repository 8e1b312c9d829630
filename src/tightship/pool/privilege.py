"""Giving up what this process may do beyond the files and processes of its user."""

from __future__ import annotations

import ctypes
import os
import struct

# Source: include/uapi/linux/prctl.h and capability.h
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2

_libc = ctypes.CDLL(None, use_errno=True)


def renounce_new_privileges() -> None:
    """Make set-user-id programs powerless for this process and its descendants, for ever."""
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), 0, 0, 0), "no_new_privs")


def drop_capabilities() -> None:
    """Give up every capability of root but those on file permissions, which Landlock bounds.

    Without this, Landlock does not keep a root worker from the memory and the environment of other processes: the
    kernel lets CAP_SYS_ADMIN and CAP_PERFMON read them all the same.
    """
    kept = (1 << _CAP_DAC_OVERRIDE) | (1 << _CAP_DAC_READ_SEARCH)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    held = (ctypes.c_uint32 * 6)()
    _check(_libc.capget(header, held), "capget")
    for word in range(6):  # effective, permitted, inheritable of capabilities 0-31, then of 32-63
        held[word] &= kept if word < 3 else 0
    _check(_libc.capset(header, held), "capset")


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)
