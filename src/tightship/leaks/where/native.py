"""Memory that Python's allocator does not know of: the line that asked for it and, through memray, the native calls."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

from tightship.leaks.report import Origin
from tightship.leaks.where.flow import find_flow
from tightship.leaks.where.rerun import Rerun
from tightship.leaks.where.stack import Call, Stack, is_own, origin, user_call

#: Steps under memray, which writes every allocation to a file: enough for what one step in ten keeps.
MEMRAY_STEPS = 60
#: A native stack with less than this share of the growth is not told.
MIN_SHARE = 0.15
MOST_ORIGINS = 5
#: Allocations that make a habit.
MIN_COUNT = 3
#: Native calls that are shown, the innermost ones.
SHOWN_CALLS = 10
_MALLINFO_FIELDS = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"

Gauge = Callable[[], int]


class _MallInfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in _MALLINFO_FIELDS.split()]


def native_heap() -> Gauge | None:
    """Return a reader of the bytes that glibc's malloc has given out; None with another C library."""
    try:
        mallinfo2 = ctypes.PyDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError):
        return None
    mallinfo2.restype = _MallInfo

    def read_bytes() -> int:
        info = mallinfo2()
        return int(info.uordblks + info.hblkhd)

    return read_bytes


@contextlib.contextmanager
def gauge_of(metric: str) -> Iterator[Gauge | None]:
    """Yield a quick reader of a memory metric, None where there is none."""
    if metric == "native_heap":
        yield native_heap()
    elif metric == "gpu":
        torch = sys.modules.get("torch")
        yield getattr(getattr(torch, "cuda", None), "memory_allocated", None)
    elif Path("/proc/self/statm").exists():
        page_bytes = os.sysconf("SC_PAGESIZE")
        with Path("/proc/self/statm").open("rb", buffering=0) as statm:
            descriptor = statm.fileno()

            def read_bytes() -> int:
                fields = os.pread(descriptor, 200, 0).split()
                return (int(fields[1]) - int(fields[2])) * page_bytes

            yield read_bytes
    else:
        yield None


def find_native(rerun: Rerun, metric: str, slope: float, seed: int) -> tuple[Origin, ...]:
    """Return where native memory stays: memray's stacks, else the Python line that keeps it, else just how much."""
    name = "GPU memory" if metric == "gpu" else "native memory"
    found: tuple[Origin, ...] = ()
    if metric == "native_heap":
        found = find_with_memray(rerun.for_at_most(rerun.remaining_s() / 2), slope)
    if not found:
        with gauge_of(metric) as gauge:
            found = find_flow(rerun, gauge, name, slope, seed) if gauge is not None else ()
    return found or (Origin(f"{name}, at no line that could be told", slope),)


def find_with_memray(rerun: Rerun, slope: float) -> tuple[Origin, ...]:
    """Return the stacks that memray saw keep memory; nothing when it is not installed or is busy with another run."""
    try:
        memray = importlib.import_module("memray")
    except ImportError:
        return ()
    with tempfile.TemporaryDirectory(prefix="tightship-leaks-") as folder:
        path = Path(folder, "allocations.bin")
        rerun.run(1)
        try:
            with memray.Tracker(str(path), native_traces=True):
                steps = rerun.run(MEMRAY_STEPS)
        except (RuntimeError, OSError):
            return ()
        if not steps:
            return ()
        with memray.FileReader(str(path)) as reader:
            records = [_Record.of(record) for record in reader.get_leaked_allocation_records(merge_threads=True)]
    return _origins(records, slope, steps)


@dataclass(frozen=True)
class _Record:
    """What memray says of one stack, read while its file is open."""

    size_bytes: int
    count: int
    stack: Stack
    native: tuple[str, ...]

    @classmethod
    def of(cls, record: Any) -> _Record:
        calls = [(file, line, function) for function, file, line in record.stack_trace()]
        stack = tuple(takewhile(lambda call: not is_own(call[0]), calls))
        native = tuple(
            f"{file}:{line} in {function}" if line else f"{Path(file).name} in {function}"
            for function, file, line in record.native_stack_trace(SHOWN_CALLS)
        )
        return cls(record.size, record.n_allocations, stack[::-1], native)


def _origins(records: list[_Record], slope: float, steps: int) -> tuple[Origin, ...]:
    """Keep what was taken again and again: a single allocation that stays is a cache or a buffer."""
    by_line: dict[Call | None, list[_Record]] = defaultdict(list)
    for record in records:
        if record.stack:
            by_line[user_call(record.stack)].append(record)
    found = []
    for group in by_line.values():
        rate = sum(record.size_bytes for record in group) / steps
        if sum(record.count for record in group) >= MIN_COUNT and rate >= MIN_SHARE * slope:
            largest = max(group, key=lambda record: record.size_bytes)
            by = origin(f"native memory by {_allocator(largest)}", largest.stack, rate)
            found.append(replace(by, stack=by.stack + largest.native[::-1]))
    found.sort(key=lambda entry: -(entry.per_step or 0))
    return tuple(found[:MOST_ORIGINS])


def _allocator(record: _Record) -> str:
    return record.native[0].rpartition(" in ")[2] if record.native else "malloc"
