"""GPU memory, asked of what is already there: a loaded torch, or the driver through NVML. Nothing heavy is imported."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Collection
from functools import cache
from typing import Any


def gpu_bytes(pids: Collection[int]) -> int | None:
    """Return the GPU memory that processes hold, or None where there is no GPU, or no way to ask.

    The driver's account is asked first, since it sees every library; inside a container it may not know the processes
    by their pids, and then torch answers for this process alone, with the memory it has reserved.
    """
    held_bytes = _driver_bytes(pids)
    if not held_bytes and os.getpid() in pids:
        reserved_bytes = _torch_bytes()
        return held_bytes if reserved_bytes is None else reserved_bytes
    return held_bytes


def device_bytes() -> int | None:
    """Return the memory in use on all GPUs together, whoever holds it, or None where there is none to ask."""
    nvml = _nvml(os.getpid())
    if nvml is None:
        return None
    try:
        devices = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
        return sum(int(nvml.nvmlDeviceGetMemoryInfo(device).used) for device in devices)
    except nvml.NVMLError:
        return None


def initialised_torch_cuda() -> Any | None:
    """Return `torch.cuda` when torch is loaded and has set up a GPU in this process."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    return cuda if cuda is not None and cuda.is_initialized() else None


def _torch_bytes() -> int | None:
    cuda = initialised_torch_cuda()
    if cuda is None:
        return None
    return sum(int(cuda.memory_reserved(device)) for device in range(cuda.device_count()))


def _driver_bytes(pids: Collection[int]) -> int | None:
    nvml = _nvml(os.getpid())
    if nvml is None:
        return None
    held_bytes = 0
    try:
        for index in range(nvml.nvmlDeviceGetCount()):
            device = nvml.nvmlDeviceGetHandleByIndex(index)
            for process in nvml.nvmlDeviceGetComputeRunningProcesses(device):
                if process.pid in pids:
                    held_bytes += process.usedGpuMemory or 0
    except nvml.NVMLError:
        return None
    return held_bytes


@cache
def _nvml(_pid: int) -> Any | None:
    """Return pynvml, initialised for this process (a fork needs its own), or None without it or without a driver."""
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    return nvml
