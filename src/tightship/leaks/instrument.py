"""The gauges of a trial: which there are on this system, and which are asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from tightship.core import procfs
from tightship.leaks.config import TrialConfig
from tightship.leaks.family import Family, PortableFamily
from tightship.leaks.fault import StepNotFound
from tightship.leaks.gauge import AsyncioTasks, Gauge, Gpu, NativeHeap, PythonBlocks
from tightship.leaks.metric import METRICS
from tightship.leaks.orphan import Orphans
from tightship.leaks.step import Step
from tightship.leaks.temp_file import TempFiles

#: Metrics that can only be read from within a process.
INSIDE = ("python_blocks", "native_heap", "temp_files", "asyncio_tasks")


@dataclass(frozen=True)
class Instruments:
    """What a trial reads.

    Args:
        gauges: That there are.
        family: The one of them that reads processes.
        unavailable: Metrics that were asked for and cannot be read here.
    """

    gauges: tuple[Gauge, ...]
    family: Family | PortableFamily
    unavailable: tuple[str, ...]


@contextmanager
def open_instruments(step: Step, pid: int | None, config: TrialConfig) -> Iterator[Instruments]:
    """Open the gauges for this process, or for another one's tree.

    Raises:
        StepNotFound: There is no process `pid`.
    """
    orphans = Orphans() if pid is None and procfs.available() else None
    family = _family(os.getpid() if pid is None else pid, orphans)
    gauges: list[Gauge] = [family]
    files = TempFiles()
    if pid is None:
        heap = NativeHeap.open()
        gauges += [PythonBlocks(), *([heap] if heap else []), AsyncioTasks(lambda: step.loop), files]
    gpu = Gpu(family.pids)
    if config.watches("gpu") and gpu.is_available:
        gauges.append(gpu)
    read = {name for gauge in gauges for name in gauge.names}
    # A machine without a GPU lacks nothing; a process seen from outside has no inside.
    expected = [name for name in METRICS if name != "gpu" and (pid is None or name not in INSIDE)]
    unavailable = tuple(name for name in expected if name not in read and config.watches(name))
    with files.watching(), orphans.marking() if orphans else nullcontext():
        yield Instruments(tuple(gauges), family, unavailable)


def _family(pid: int, orphans: Orphans | None) -> Family | PortableFamily:
    if procfs.available():
        family: Family | PortableFamily = Family(pid, orphans)
        if family.is_gone():
            raise StepNotFound(f"there is no process {pid}", pid=pid)
        return family
    import psutil

    try:
        return PortableFamily(pid)
    except psutil.NoSuchProcess:
        raise StepNotFound(f"there is no process {pid}", pid=pid) from None
