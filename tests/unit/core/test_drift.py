"""Whether levels of slots are told to grow, whatever the sizes of the jobs."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tightship.core.drift import Drift, Reading, drift
from tightship.core.verdict import Kind

KIB, MIB = 2**10, 2**20
#: Chance of a false alarm of a first look.
ERROR = 0.005


def readings(level: Callable[[int], float], jobs: int = 256, slots: int = 2, noise: float = 0.1 * MIB) -> list[Reading]:
    """Return slots whose level is `level(job)` bytes, with noise, after jobs of one size."""
    rng = random.Random(jobs + slots)
    return [
        Reading(slot, job, 0, (1.0,), (found := slot * MIB + level(job) + rng.gauss(0, noise)), found)
        for slot in range(slots)
        for job in range(jobs // slots)
    ]


def judged(found: list[Reading]) -> Drift:
    return drift(found, jobs=len(found), error=ERROR)


def test_a_leak_grows_at_its_rate() -> None:
    """The slope is the leak, and lies in its interval."""
    found = judged(readings(lambda job: job * 200.0 * KIB))
    assert found.kind is Kind.GROWING, found.reason
    assert found.slope_bytes == pytest.approx(200 * KIB, rel=0.2)
    assert found.interval_bytes is not None
    assert found.interval_bytes[0] < 200 * KIB < found.interval_bytes[1]


def test_levels_without_growth_are_steady_and_say_what_would_have_shown() -> None:
    """Steady means that 100 KiB a job would have been seen."""
    found = judged(readings(lambda _job: 0.0, jobs=512))
    assert found.kind is Kind.STEADY, found.reason
    assert found.detectable_bytes is not None
    assert found.detectable_bytes < 100 * KIB


def test_growth_below_the_floor_is_steady() -> None:
    """Nobody needs to care about 2 KiB a job."""
    assert judged(readings(lambda job: job * 2.0 * KIB, jobs=2000, noise=KIB)).kind is Kind.STEADY


def test_noise_that_hides_growth_leaves_it_undecided_and_says_so() -> None:
    """What cannot be ruled out is named."""
    found = judged(readings(lambda _job: 0.0, noise=20.0 * MIB))
    assert found.kind is Kind.UNDECIDED
    assert "neither be seen nor ruled out" in found.reason


def test_nothing_to_go_by_is_undecided() -> None:
    """No reading at all is no error."""
    assert judged([]).kind is Kind.UNDECIDED


def test_slots_that_end_at_once_tell_nothing() -> None:
    """The reason says how many jobs a slot must live for."""
    found = judged(readings(lambda job: job * float(MIB), jobs=600, slots=100))
    assert found.kind is Kind.UNDECIDED
    assert found.slope_bytes is None
    assert "no slot has done more than 6 of them, and a slot counts from 8 on" in found.reason


def test_slots_at_other_levels_are_no_growth() -> None:
    """A slot that starts higher than the one before it is another process, not a leak."""
    later_higher = [
        Reading(slot, job, 0, (1.0,), slot * 50.0 * MIB + job % 3 * KIB, 0.0) for slot in range(20) for job in range(30)
    ]
    assert judged(later_higher).kind is Kind.STEADY


def test_what_a_large_job_leaves_for_a_while_is_no_growth() -> None:
    """Sizes that rise lift the level with them; that effect is taken off."""
    rng = random.Random(3)
    sizes = [rng.uniform(0.5, 1.5) * (1 + job / 500) for job in range(500)]
    held = [Reading(0, job, 0, (size,), 20 * MIB * size + rng.gauss(0, 1e5), 0.0) for job, size in enumerate(sizes)]
    assert judged(held).kind is not Kind.GROWING


def test_steps_at_the_largest_job_so_far_are_no_growth() -> None:
    """An allocator keeps some of its high water: levels of different eras are not compared."""
    stairs = [Reading(0, job, job // 8, (float(job // 8),), job // 8 * 4.0 * MIB + job % 2, 0.0) for job in range(512)]
    assert judged(stairs).kind is not Kind.GROWING


def test_a_leak_between_those_steps_grows() -> None:
    """Within an era the rise shows."""
    held = readings(lambda job: job * 300.0 * KIB, slots=1)
    with_steps = [
        Reading(r.slot, r.job, r.job // 32, r.sizes, r.level_bytes + r.job // 32 * MIB, r.kept_bytes) for r in held
    ]
    assert judged(with_steps).kind is Kind.GROWING


def test_a_cache_that_fills_ever_slower_is_not_called_growing() -> None:
    """Growth that fades needs more jobs."""
    found = judged(readings(lambda job: 40 * MIB * (1 - 0.97**job)))
    assert found.kind is Kind.UNDECIDED
    assert "ever slower" in found.reason


def test_a_cache_that_is_emptied_now_and_then_is_not_called_growing() -> None:
    """It rises for most of the time, but only to where it has been."""
    found = judged(readings(lambda job: job % 75 * 300.0 * KIB, jobs=1000))
    assert found.kind is Kind.UNDECIDED
    assert "as high before" in found.reason


def test_growth_during_other_jobs_is_not_this_operation_s() -> None:
    """Slots are shared: what another operation leaks is told apart."""
    held = [Reading(r.slot, r.job, r.era, r.sizes, r.level_bytes, 0.0) for r in readings(lambda job: job * float(MIB))]
    found = judged(held)
    assert found.kind is Kind.UNDECIDED
    assert "other operations' jobs" in found.reason
