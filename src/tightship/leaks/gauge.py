"""Readings of this interpreter: Python blocks, the native heap, asyncio tasks, GPU memory."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable
from typing import Any, Protocol

from tightship.core.gpu import gpu_bytes, initialised_torch_cuda

#: Free memory inside glibc's arenas: not a metric, but it tells fragmentation from growth.
MALLOC_FREE = "malloc_free"
#: Address space of the process: not a metric, but memory that is new has been mapped.
MAPPED = "mapped"
#: Sizes of malloc's cache of a thread, in bytes: from those that Python's allocator leaves to it, to its largest.
CACHED_BYTES = range(496, 1056, 16)
#: Blocks of each size that such a cache holds at most; glibc has 7, or 16 since 2.42.
CACHED_BLOCKS = 16


class Gauge(Protocol):
    """Something that reads one or several metrics at once, without leaving anything behind."""

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics it reads."""

    def read(self, settled: bool, /) -> tuple[float, ...]:
        """Return their values; `settled` asks to wait a moment for what is just ending."""


class PythonBlocks:
    """Blocks that Python's own allocator has given out: exact, every object of up to 512 bytes is one."""

    names = ("python_blocks",)

    def read(self, _settled: bool, /) -> tuple[float, ...]:
        """Return the number of blocks."""
        return (float(sys.getallocatedblocks()),)


class _Mallinfo2(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "k")
    ]


class NativeHeap:
    """Bytes that malloc has given out, those in maps of their own included, over all arenas; glibc 2.33 and later.

    What a thread's cache holds for its next request counts as given out: a few hundred kilobytes at most.
    """

    names = ("native_heap", MALLOC_FREE)

    def __init__(self, mallinfo2: Callable[[], Any]) -> None:
        self._mallinfo2 = mallinfo2

    @classmethod
    def open(cls) -> NativeHeap | None:
        """Return the gauge, or None where another allocator serves."""
        try:
            function = ctypes.CDLL(None).mallinfo2
        except (AttributeError, OSError, TypeError):
            return None
        function.restype, function.argtypes = _Mallinfo2, []
        _fill_cache()
        return cls(function)

    def read(self, _settled: bool, /) -> tuple[float, ...]:
        """Return the bytes in use and the bytes free."""
        info = self._mallinfo2()
        return (float(info.uordblks + info.hblkhd), float(info.fordblks))


def _fill_cache() -> None:
    """Fill this thread's cache in malloc, as what comes to lie in it later would pass for growth."""
    for size in CACHED_BYTES:
        blocks = [bytes(size) for _ in range(CACHED_BLOCKS)]
        blocks.clear()


class AsyncioTasks:
    """Tasks of any event loop of this process that are not done."""

    names = ("asyncio_tasks",)

    def __init__(self, own_loop: Callable[[], asyncio.AbstractEventLoop | None]) -> None:
        self._own_loop = own_loop

    def read(self, _settled: bool, /) -> tuple[float, ...]:
        """Return their number."""
        # Before 3.14 the interpreter keeps one register for all loops; from then on each loop must be asked.
        register = getattr(asyncio.tasks, "_scheduled_tasks", getattr(asyncio.tasks, "_all_tasks", None))
        loop = self._own_loop()
        if register is None or sys.version_info >= (3, 14):
            return (float(len(asyncio.all_tasks(loop)) if loop else 0),)
        for _ in range(100):
            try:
                return (float(sum(not task.done() for task in list(register))),)
            except RuntimeError:  # another thread's loop changed the register meanwhile
                continue
        return (0.0,)


class Gpu:
    """GPU memory of a process and its children; of torch what tensors use, not what its cache keeps."""

    names = ("gpu",)

    def __init__(self, pids: Callable[[], list[int]]) -> None:
        self._pids = pids

    @property
    def is_available(self) -> bool:
        """Whether there is a GPU that can be asked."""
        return gpu_bytes(self._pids()) is not None

    def read(self, _settled: bool, /) -> tuple[float, ...]:
        """Return the bytes held."""
        pids = self._pids()
        held_bytes = gpu_bytes(pids) or 0
        cuda = initialised_torch_cuda() if os.getpid() in pids else None
        if cuda is None:
            return (float(held_bytes),)
        devices = range(cuda.device_count())
        used = sum(int(cuda.memory_allocated(device)) for device in devices)
        cached = sum(int(cuda.memory_reserved(device)) for device in devices)
        return (float(max(0, held_bytes - cached) + used),)
