"""What a process, or a process and its descendants, holds at this moment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tightship.core import procfs
from tightship.core.gpu import gpu_bytes
from tightship.core.scratch import tree_bytes


@dataclass(frozen=True)
class Footprint:
    """Memory, handles and disk held at one moment. `None` means "not measured", never zero.

    Args:
        rss_bytes: Anonymous, shared and swapped memory; mapped files, which the kernel can drop, are left out.
        peak_bytes: The most of it since the start, or since the peak was last reset; over a tree the sum of the peaks,
            which need not have come at the same time.
        fds: Open descriptors.
        threads: Native threads.
        children: Descendants.
        scratch_bytes: Allocated bytes on disk below the scratch folder; 0 without one.
        gpu_bytes: GPU memory.
        cpu_s: CPU seconds, with those of ended children that were waited for.
        pss_bytes: Proportional set size, where an exact measure was asked for.
    """

    rss_bytes: int
    peak_bytes: int
    fds: int
    threads: int
    children: int
    scratch_bytes: int
    gpu_bytes: int | None
    cpu_s: float
    pss_bytes: int | None


def measure(
    pid: int | None = None, *, tree: bool = True, scratch: Path | None = None, exact: bool = False
) -> Footprint:
    """Measure a process.

    Linux answers from `/proc`. Elsewhere psutil does: `rss_bytes` is then the plain resident size with mapped files,
    `peak_bytes` is no more than that, and `pss_bytes` is missing.

    Args:
        pid: The process; this one by default. One that is gone holds nothing.
        tree: Count its descendants in.
        scratch: Folder whose size on disk is taken too.
        exact: Ask for `pss_bytes`, which costs milliseconds per gigabyte.
    """
    pid = os.getpid() if pid is None else pid
    scratch_bytes = tree_bytes(scratch) if scratch else 0
    if procfs.available():
        return _from_procfs(pid, tree, scratch_bytes, exact)
    return _from_psutil(pid, tree, scratch_bytes)


def memory_bytes() -> int:
    """Return the `rss_bytes` of this process alone: the cheapest question there is."""
    if procfs.available():
        return procfs.memory_bytes(os.getpid())
    import psutil  # only where there is no /proc: it would cost every worker 15 ms and 3 MB

    return int(psutil.Process().memory_info().rss)


def _from_procfs(pid: int, tree: bool, scratch_bytes: int, exact: bool) -> Footprint:
    below = procfs.descendants(pid) if tree else []
    pids = [pid, *below]
    memory = [procfs.memory_and_high_water_bytes(each) for each in pids]
    times = [procfs.threads_and_cpu_s(each) for each in pids]
    return Footprint(
        rss_bytes=sum(held_bytes for held_bytes, _ in memory),
        peak_bytes=sum(mark_bytes for _, mark_bytes in memory),
        fds=_sum_of_known(procfs.fds, pids),
        threads=sum(threads for threads, _ in times),
        children=len(below),
        scratch_bytes=scratch_bytes,
        gpu_bytes=gpu_bytes(pids),
        cpu_s=sum(cpu_s for _, cpu_s in times),
        pss_bytes=_sum_of_known(procfs.pss_bytes, pids) if exact else None,
    )


def _sum_of_known(read: Callable[[int], int | None], pids: Iterable[int]) -> int:
    return sum(read(pid) or 0 for pid in pids)


def _from_psutil(pid: int, tree: bool, scratch_bytes: int) -> Footprint:
    import psutil

    processes: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        top = psutil.Process(pid)
        processes = [top, *(top.children(recursive=True) if tree else [])]
    rss_bytes = fds = threads = 0
    cpu_s = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied), process.oneshot():
            rss_bytes += process.memory_info().rss
            cpu_s += sum(process.cpu_times()[:4])
            threads += process.num_threads()
            fds += process.num_fds()
    return Footprint(
        rss_bytes=rss_bytes,
        peak_bytes=rss_bytes,
        fds=fds,
        threads=threads,
        children=max(len(processes) - 1, 0),
        scratch_bytes=scratch_bytes,
        gpu_bytes=gpu_bytes([process.pid for process in processes]),
        cpu_s=cpu_s,
        pss_bytes=None,
    )
