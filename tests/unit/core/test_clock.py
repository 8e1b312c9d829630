"""The machine's clocks."""

from __future__ import annotations

import time

from tightship.core.clock import SystemClock


def test_the_monotonic_clock_is_the_systems():
    """Deadlines are compared with the same time that Python waits by."""
    before_s = time.monotonic()
    assert before_s <= SystemClock().monotonic_s() <= time.monotonic()


def test_the_wall_clock_counts_from_1970():
    """Records carry the time of day."""
    before_s = time.time()
    assert before_s <= SystemClock().wall_s() <= time.time()
