"""Rates from timestamps alone."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tightship.media.timing import Rhythm, believable_fps, rhythm_of

MILLISECOND = Fraction(1, 1000)


def test_rounded_milliseconds_are_a_constant_rate() -> None:
    """33, 33, 34 is 30 frames per second on a coarse clock."""
    rhythm = rhythm_of([33, 33, 34] * 20, MILLISECOND, 1000)
    assert rhythm.variable is False
    assert rhythm.fps == pytest.approx(30.0)


def test_one_dropped_frame_is_a_constant_rate() -> None:
    """Cameras lose one now and then."""
    assert rhythm_of([40] * 100 + [80], MILLISECOND, 1000).variable is False


def test_no_time_between_frames_has_no_rate() -> None:
    """Zero deltas would be infinitely many frames per second."""
    assert rhythm_of([0] * 50, MILLISECOND, 1000) == Rhythm(None, False)


def test_nothing_is_told_of_a_single_frame() -> None:
    """One picture has no rhythm."""
    assert rhythm_of([], MILLISECOND, 1000) == Rhythm(None, None)


@given(some.lists(some.integers(-(2**40), 2**40), max_size=200), some.integers(1, 10**6))
def test_a_rate_is_finite_and_sane_whatever_the_timestamps(deltas: list[int], ticks_per_s: int) -> None:
    """Hostile timestamps give a sane rate or none, never an exception."""
    rhythm = rhythm_of(deltas, Fraction(1, ticks_per_s), 1000)
    assert rhythm.fps is None or 0.01 <= rhythm.fps <= 1000


@pytest.mark.parametrize("rate", [None, 0, -1, float("inf"), float("nan"), 10_000, Fraction(1, 10**6)])
def test_absurd_rates_are_not_believed(rate: float | None) -> None:
    """What no camera and no screen does is not told."""
    assert believable_fps(rate, 1000) is None
