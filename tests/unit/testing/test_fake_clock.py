"""The clock that users test their deadlines with."""

from __future__ import annotations

import pytest

from tightship.testing import FakeClock


def test_it_stands_still():
    """No time passes by itself."""
    clock = FakeClock(monotonic_s=5, wall_s=1000)
    assert (clock.monotonic_s(), clock.wall_s()) == (5, 1000)
    assert (clock.monotonic_s(), clock.wall_s()) == (5, 1000)


def test_it_advances_both_times():
    """Time passes for deadlines and for records alike."""
    clock = FakeClock(monotonic_s=5, wall_s=1000)
    clock.advance(2.5)
    assert (clock.monotonic_s(), clock.wall_s()) == (7.5, 1002.5)


def test_it_does_not_run_backwards():
    """A monotonic clock never does."""
    with pytest.raises(ValueError, match="cannot advance by -1 s"):
        FakeClock().advance(-1)


def test_its_time_of_day_can_jump():
    """As when somebody sets the machine's clock: deadlines are not touched."""
    clock = FakeClock(monotonic_s=5, wall_s=1000)
    clock.set_wall(10)
    assert (clock.monotonic_s(), clock.wall_s()) == (5, 10)


def test_it_tells_its_times():
    """Both times can be read off it."""
    assert repr(FakeClock(1, 2)) == "FakeClock(monotonic_s=1, wall_s=2)"
