"""What it takes to open a session, which is to load a model: measured once, before the first attempt works with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tightship.core.footprint import memory_bytes
from tightship.core.gpu import device_bytes
from tightship.core.peak import PeakWatch
from tightship.units import format_bytes, format_seconds

T = TypeVar("T")


@dataclass(frozen=True)
class Opening:
    """The figures of one opening. `None` means "not measured", never zero.

    Args:
        took_s: Seconds on the clock, those for importing the model's libraries included.
        before_bytes, after_bytes: Memory of the process before and after.
        peak_bytes: The most that it held in between.
        gpu_before_bytes, gpu_after_bytes: GPU memory in use before and after, by whomever: in a container the driver
            does not know whose it is.
    """

    took_s: float
    before_bytes: int
    after_bytes: int
    peak_bytes: int
    gpu_before_bytes: int | None = None
    gpu_after_bytes: int | None = None

    def in_words(self) -> str:
        """Return the figures for people: `0.8 s, memory 27.1 MiB before and 231 MiB after`."""
        words = f"{format_seconds(self.took_s)}, memory {_both(self.before_bytes, self.after_bytes)}"
        if self.gpu_before_bytes is None or self.gpu_after_bytes is None:
            return words
        return f"{words}, GPU memory {_both(self.gpu_before_bytes, self.gpu_after_bytes)}"


def measured(act: Callable[[], T]) -> tuple[T, Opening]:
    """Do what opens a session; return what that gave, and what it took."""
    watch, gpu_before_bytes = PeakWatch(), device_bytes()
    try:
        before_bytes, began_s = memory_bytes(), time.monotonic()
        given = act()
        took_s = time.monotonic() - began_s
        return given, Opening(took_s, before_bytes, memory_bytes(), watch.sample(), gpu_before_bytes, device_bytes())
    finally:
        watch.close()


def _both(before_bytes: int, after_bytes: int) -> str:
    return f"{format_bytes(before_bytes)} before and {format_bytes(after_bytes)} after"
