"""Giving memory back at a safepoint: collect garbage, trim the allocator, empty the GPU cache."""

from __future__ import annotations

import ctypes
import gc
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

from tightship.core.footprint import memory_bytes
from tightship.core.gpu import initialised_torch_cuda


@dataclass(frozen=True)
class Settlement:
    """What settling gave back.

    Args:
        freed_bytes: Memory returned to the system; negative when other threads took more meanwhile.
        before_bytes: Memory of this process before.
        after_bytes: Memory of this process after.
        skipped: There was too little to be worth the time.
        took_s: Seconds it took.
    """

    freed_bytes: int
    before_bytes: int
    after_bytes: int
    skipped: bool
    took_s: float


def settle(over_bytes: int | None = None) -> Settlement:
    """Give back what can be given back; call it between pieces of work, never inside one.

    A full collection costs some 80 ns per object and holds the interpreter for as long; trimming costs milliseconds.
    Outside glibc nothing is trimmed. CTranslate2 gives its cache back only by unloading the model, which is not for
    this function to do.

    Args:
        over_bytes: Do nothing while this process holds less.
    """
    started_s = time.perf_counter()
    before_bytes = memory_bytes()
    skipped = over_bytes is not None and before_bytes < over_bytes
    if not skipped:
        gc.collect()
        if cuda := initialised_torch_cuda():
            cuda.empty_cache()
        if trim := _malloc_trim():
            trim(0)
    after_bytes = before_bytes if skipped else memory_bytes()
    return Settlement(
        freed_bytes=before_bytes - after_bytes,
        before_bytes=before_bytes,
        after_bytes=after_bytes,
        skipped=skipped,
        took_s=time.perf_counter() - started_s,
    )


@cache
def _malloc_trim() -> Any | None:
    """Return glibc's `malloc_trim`, called without the interpreter lock, or None where another allocator serves."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    return trim
