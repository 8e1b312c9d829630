"""Landlock: what a process may still open, run and connect to, enforced by the kernel without privileges.

Source: Documentation/userspace-api/landlock.rst and include/uapi/linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
#: Rights that make sense on a file; a rule on a file may name no other.
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
#: How many filesystem rights each ABI version knows (bits from 0 up).
_FS_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NET_BIND_AND_CONNECT_TCP = 0b11
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11

_libc = ctypes.CDLL(None, use_errno=True)


def abi_version() -> int:
    """Return the kernel's Landlock version; 0 where there is none or it is switched off."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_CREATE_RULESET_VERSION))))


def restrict(read: Iterable[Path], write: Iterable[Path], *, network: bool = False) -> tuple[str, ...]:
    """Confine this thread, and all it starts from now on, for ever.

    Call it before any other thread exists, and after `renounce_new_privileges`.

    Args:
        read: Files and folders that may be read and run; what does not exist is left out.
        write: Files and folders that may be read and changed.
        network: Whether TCP stays open.

    Returns:
        What the kernel now enforces: of `files`, `network`, `signals`; empty where there is no Landlock.
    """
    abi = abi_version()
    if abi == 0:
        return ()
    rights = (1 << _FS_RIGHTS_BY_ABI[min(abi, 5)]) - 1
    net = _NET_BIND_AND_CONNECT_TCP if abi >= 4 and not network else 0
    scoped = _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS if abi >= 6 else 0
    ruleset_fd = _create_ruleset(rights, net, scoped, abi)
    try:
        for path in read:
            _allow(ruleset_fd, path, rights & (_EXECUTE | _READ_FILE | _READ_DIR))
        for path in write:
            _allow(ruleset_fd, path, rights & ~_EXECUTE)
        _syscall(_RESTRICT_SELF, ruleset_fd, 0)
    finally:
        os.close(ruleset_fd)
    return ("files", *(["network"] if net else []), *(["signals"] if scoped else []))


def _create_ruleset(rights: int, net: int, scoped: int, abi: int) -> int:
    fields = [rights] + ([net] if abi >= 4 else []) + ([scoped] if abi >= 6 else [])
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    return _syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0))


def _allow(ruleset_fd: int, path: Path, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not path.is_dir():
            rights &= _FILE_RIGHTS
        rule = struct.pack("=Qi", rights, fd)
        _syscall(_ADD_RULE, ruleset_fd, ctypes.c_int(_RULE_PATH_BENEATH), rule, ctypes.c_uint(0))
    finally:
        os.close(fd)


def _syscall(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), f"landlock syscall {number}")
    return result
