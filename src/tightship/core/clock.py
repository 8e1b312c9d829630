"""Time as something that is passed in, so that decisions can be tested without waiting."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The two times that are worth telling apart."""

    def monotonic_s(self) -> float:
        """Return seconds since an arbitrary moment: for durations and deadlines; never runs backwards."""

    def wall_s(self) -> float:
        """Return seconds since 1970 in UTC: for people and for records; may jump."""


class SystemClock:
    """The clocks of the machine."""

    def monotonic_s(self) -> float:
        """Return the system's monotonic time in seconds."""
        return time.monotonic()

    def wall_s(self) -> float:
        """Return the system's time of day in seconds since 1970."""
        return time.time()

    def __repr__(self) -> str:
        return "SystemClock()"
