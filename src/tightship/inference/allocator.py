"""Make glibc's allocator fit for a model: keep what is used over and over, give it back between batches."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from tightship.core.allocator import ARENA_MAX, MMAP_MAX, TRIM_THRESHOLD, adjust

#: Bytes that may lie free at the heap's end: more than a batch needs, so that it is never given back within one.
_SPARE_BYTES = 2**30


def keep_buffers() -> bool:
    """Set the allocator of this process up for a model; call it before threads start.

    A model asks for hundreds of buffers of a megabyte for each token, and for tables of attention of 50 MB for each
    layer. Where these are mapped one by one, as a slot's settings want it for decoders, every page is cleared anew
    each time: twice the CPU seconds. One heap that is trimmed by `give_back` has neither that cost nor a higher peak.

    Returns:
        Whether it took: other allocators than glibc's have no such settings.
    """
    return adjust({ARENA_MAX: 1, MMAP_MAX: 0, TRIM_THRESHOLD: _SPARE_BYTES})


def give_back() -> None:
    """Give what is free back to the system; some milliseconds."""
    libc = _libc()
    if libc is not None:
        libc.malloc_trim(0)


@cache
def _libc() -> Any | None:
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "malloc_trim") else None
