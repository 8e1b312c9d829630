"""Who is asked for GPU memory; the driver and torch are stand-ins, for most machines have neither."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest

from tightship.core import gpu


class NVMLError(Exception):
    """What the driver's library raises."""


class Driver:
    """A driver with two devices and the processes given."""

    NVMLError = NVMLError

    def __init__(self, *held: tuple[int, int | None]) -> None:
        self.held = held
        self.broken = False

    def nvmlInit(self):  # noqa: N802 - the driver's own name
        """Start."""
        if self.broken:
            raise NVMLError("driver not loaded")

    def nvmlDeviceGetCount(self):  # noqa: N802
        """Return the number of devices."""
        if self.broken:
            raise NVMLError("gone")
        return 2

    def nvmlDeviceGetHandleByIndex(self, index):  # noqa: N802
        """Return a device."""
        return index

    def nvmlDeviceGetMemoryInfo(self, device):  # noqa: N802
        """Return what is in use on a device."""
        return SimpleNamespace(used=1000 + device)

    def nvmlDeviceGetComputeRunningProcesses(self, device):  # noqa: N802
        """Return the processes: all on the first device."""
        return [SimpleNamespace(pid=pid, usedGpuMemory=held) for pid, held in self.held] if device == 0 else []


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    """Start from a machine without driver and without torch."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    gpu._nvml.cache_clear()
    yield
    gpu._nvml.cache_clear()


def torch(*, initialised: bool, reserved_bytes: int = 0) -> SimpleNamespace:
    """Return as much of torch as is asked."""
    return SimpleNamespace(
        cuda=SimpleNamespace(
            is_initialized=lambda: initialised, device_count=lambda: 1, memory_reserved=lambda device: reserved_bytes
        )
    )


def test_without_a_gpu_the_answer_is_none():
    """Not measured is not zero."""
    assert gpu.gpu_bytes([os.getpid()]) is None


def test_without_a_driver_the_answer_is_none(monkeypatch):
    """The driver's library is there, the driver is not."""
    driver = Driver()
    driver.broken = True
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    assert gpu.gpu_bytes([os.getpid()]) is None


def test_the_driver_is_asked_for_the_processes_meant(monkeypatch):
    """What other processes hold is not counted; a size the driver does not tell counts nothing."""
    monkeypatch.setitem(sys.modules, "pynvml", Driver((7, 100), (8, 30), (9, 5000), (8, None)))
    assert gpu.gpu_bytes([7, 8]) == 130


def test_a_driver_that_fails_later_is_no_answer(monkeypatch):
    """A driver that was reset under us makes the size unknown."""
    driver = Driver((7, 100))
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    assert gpu.gpu_bytes([7]) == 100
    driver.broken = True
    assert gpu.gpu_bytes([7]) is None


def test_what_is_in_use_on_all_devices_is_told(monkeypatch):
    """Whoever holds it; without a driver, or with a broken one, nothing is said."""
    assert gpu.device_bytes() is None
    gpu._nvml.cache_clear()
    driver = Driver()
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    assert gpu.device_bytes() == 2001
    driver.broken = True
    assert gpu.device_bytes() is None


def test_torch_answers_where_the_driver_does_not_know_the_pid(monkeypatch):
    """In a container the driver's pids are the host's; torch knows what it has reserved."""
    monkeypatch.setitem(sys.modules, "pynvml", Driver((99999999, 100)))
    monkeypatch.setitem(sys.modules, "torch", torch(initialised=True, reserved_bytes=64))
    assert gpu.gpu_bytes([os.getpid()]) == 64


def test_torch_is_not_asked_for_other_processes(monkeypatch):
    """torch knows of its own process only."""
    monkeypatch.setitem(sys.modules, "torch", torch(initialised=True, reserved_bytes=64))
    assert gpu.gpu_bytes([1]) is None


def test_torch_that_has_not_touched_the_gpu_is_left_alone(monkeypatch):
    """Asking an idle torch would itself set up the GPU, at hundreds of megabytes."""
    monkeypatch.setitem(sys.modules, "torch", torch(initialised=False, reserved_bytes=64))
    assert gpu.gpu_bytes([os.getpid()]) is None


def test_a_torch_built_without_gpu_is_no_gpu(monkeypatch):
    """A torch that has no `cuda` at all is no reason to fail."""
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())
    assert gpu.initialised_torch_cuda() is None
