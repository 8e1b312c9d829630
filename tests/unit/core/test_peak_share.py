"""What jobs really need of the memory that is declared for them."""

from __future__ import annotations

import pytest

from tightship.core.peak_share import LEARN_FROM, PeakShares

MIB = 2**20


def test_little_is_known_at_first() -> None:
    """A handful of jobs says nothing: what is declared is reserved."""
    shares = PeakShares()
    for _ in range(LEARN_FROM - 1):
        shares.add("gif", 100 * MIB, 10 * MIB)

    assert shares.reservation_bytes("gif", 100 * MIB) == 100 * MIB


@pytest.mark.parametrize(("declared", "reserved"), [(100 * MIB, 50 * MIB), (400 * MIB, 200 * MIB)])
def test_share_is_learnt_and_scales_with_the_input(declared: int, reserved: int) -> None:
    """Jobs that need two fifths of what they declare get that with a margin, larger inputs more."""
    shares = PeakShares()
    for _ in range(20):
        shares.add("gif", 100 * MIB, 40 * MIB)

    assert shares.reservation_bytes("gif", declared) == reserved


def test_jobs_that_need_more_than_declared_are_believed() -> None:
    """A declaration that was too small is made up for."""
    shares = PeakShares()
    for _ in range(LEARN_FROM):
        shares.add("gif", 100, 120)

    assert shares.reservation_bytes("gif", 100) == 150


def test_the_largest_of_late_count_and_the_old_are_forgotten() -> None:
    """The history is bounded, in jobs and in names."""
    shares = PeakShares(per_name=10, max_names=2)
    for name in ("a", "b", "c"):
        for peak in [90] * 5 + [10] * 10:
            shares.add(name, 100, peak)

    assert shares.reservation_bytes("c", 100) == 13
    assert shares.reservation_bytes("a", 100) == 100
