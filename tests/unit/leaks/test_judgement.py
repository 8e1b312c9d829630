"""All series of a trial, judged together."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from collections.abc import Callable

import pytest

from tightship.core.verdict import Kind
from tightship.leaks.gauge import MALLOC_FREE, MAPPED
from tightship.leaks.judgement import Track, findings, garbage_per_step, judge, overall
from tightship.leaks.metric import METRICS
from tightship.leaks.report import Series

MB = float(1 << 20)


def track(metric: str, value: Callable[[float], float], steps: int = 2000, looks: int = 100) -> Track:
    points = tuple((float(step), float(value(step))) for step in range(0, steps, max(1, steps // looks)))
    return Track(metric, points, (0.0,) * len(points))


def judged(
    *tracks: Track, is_final: bool = False, confidence: float = 0.99, budget_s: float = 20.0
) -> dict[str, Series]:
    series = judge(
        {each.metric: each for each in tracks},
        floor=lambda name: METRICS[name].floor,
        confidence=confidence,
        is_final=is_final,
        budget_s=budget_s,
    )
    return {each.metric: each for each in series}


def noise(sigma: float, seed: int = 1) -> Callable[[float], float]:
    rng = random.Random(seed)
    return lambda _: rng.gauss(0, sigma)


# --- one series ---------------------------------------------------------------------------------------


def test_what_never_changes_is_steady_and_says_what_would_have_shown() -> None:
    """A thousand steps without a change exclude one descriptor in three hundred, not one in a million."""
    found = judged(track("fds", lambda _: 7))["fds"]
    assert found.verdict is Kind.STEADY
    assert found.detectable_slope == pytest.approx(3 / 1000, rel=0.05)


def test_one_more_with_each_step_is_growing() -> None:
    """At its rate, in its unit."""
    found = judged(track("fds", lambda step: step))["fds"]
    assert (found.verdict, found.slope, found.unit) == (Kind.GROWING, 1.0, "descriptors")


def test_one_in_25_steps_is_growing() -> None:
    """Rare leaks are leaks."""
    assert judged(track("python_blocks", lambda step: step // 25))["python_blocks"].verdict is Kind.GROWING


def test_growth_that_speeds_up_is_growing() -> None:
    """Its curve is no noise."""
    found = judged(track("python_blocks", lambda step: step**2 / 100))["python_blocks"]
    assert (found.verdict, found.reason.partition(":")[0]) == (Kind.GROWING, "Grows ever faster")


def test_slow_growth_over_few_steps_is_doubted_where_the_budget_was_cut_short() -> None:
    """It may be a cache that fills; descriptors, and what grows fast, are no matter of doubt."""
    slow = track("python_blocks", lambda step: step, steps=200)
    assert judged(slow)["python_blocks"].verdict is Kind.GROWING
    doubted = judged(slow, budget_s=2.0)["python_blocks"]
    assert (doubted.verdict, "larger budget" in doubted.reason) == (Kind.UNDECIDED, True)
    for sure in (track("python_blocks", lambda step: 20 * step, steps=200), track("fds", lambda step: step, steps=200)):
        assert judged(sure, budget_s=2.0)[sure.metric].verdict is Kind.GROWING


def test_growth_that_slows_down_is_not() -> None:
    """A cache that fills does not grow ever faster."""
    found = judged(track("python_blocks", lambda step: 3e4 * (1 - math.exp(-step / 500))), is_final=True)
    assert found["python_blocks"].verdict is not Kind.GROWING


def test_few_steps_without_a_change_are_undecided_until_the_end() -> None:
    """A level of thirty steps is believed only when no more can be had."""
    level = track("fds", lambda _: 7, steps=30)
    assert judged(level)["fds"].verdict is Kind.UNDECIDED
    final = judged(level, is_final=True)["fds"]
    assert final.verdict is Kind.STEADY
    assert "would not have shown" in final.reason


def test_noise_that_hides_a_little_is_steady_at_the_end() -> None:
    """The reason tells how much may be hidden."""
    noisy = track("native_heap", noise(MB / 2))
    assert judged(noisy)["native_heap"].verdict is Kind.UNDECIDED
    final = judged(noisy, is_final=True)["native_heap"]
    assert final.verdict is Kind.STEADY
    assert final.detectable_slope > METRICS["native_heap"].target


def test_noise_that_hides_everything_stays_undecided() -> None:
    """Nothing can be said of a megabyte a step under a gigabyte of noise."""
    noisy = track("native_heap", noise(1000 * MB))
    assert judged(noisy, is_final=True)["native_heap"].verdict is Kind.UNDECIDED


def test_a_sign_of_growth_stays_undecided_at_the_end() -> None:
    """What may well be a leak is not called steady for want of time."""
    random_part = noise(MB / 2, seed=3)
    found = judged(track("native_heap", lambda step: 700 * step + random_part(step)), is_final=True)["native_heap"]
    assert found.verdict is not Kind.STEADY


@pytest.mark.parametrize(
    ("metric", "shifts", "is_steady"),
    [("python_blocks", (60, 80), True), ("python_blocks", (55, 70, 85), False)],
)
def test_a_level_that_shifts_twice_in_few_steps_is_steady_at_the_end(
    metric: str, shifts: tuple[int, ...], is_steady: bool
) -> None:
    """A table that grew once or twice is no trend; three times may be."""
    seen = track(metric, lambda step: sum(step >= shift for shift in shifts), steps=100)
    assert (judged(seen, is_final=True)[metric].verdict is Kind.STEADY) == is_steady


def test_the_judgement_itself_takes_no_memory() -> None:
    """Given that it was rehearsed, then a judgement leaves nothing behind that could pass for the step's."""
    source = """
import gc, random, sys
from tightship.leaks.judgement import Track, judge, rehearse
from tightship.leaks.metric import METRICS
rehearse()
points = tuple((float(step), random.gauss(0, 9)) for step in range(100))
def held():
    judge({"rss": Track("rss", points)}, floor=lambda name: METRICS[name].floor, confidence=0.99, is_final=True)
    gc.collect()
    return sys.getallocatedblocks()
first = sys.getallocatedblocks()
first = sys.getallocatedblocks()
print(held() - first)
"""
    said = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout
    assert int(said) <= 10


# --- very few steps -------------------------------------------------------------------------------------


def test_a_megabyte_with_each_of_twelve_steps_is_growing() -> None:
    """What happens in every step needs no statistics."""
    found = judged(track("native_heap", lambda step: step * MB, steps=12), is_final=True)["native_heap"]
    assert (found.verdict, found.slope) == (Kind.GROWING, MB)
    assert "every one of 10 steps" in found.reason


def test_twelve_steps_without_a_new_high_are_steady() -> None:
    """As far as can be seen."""
    found = judged(track("rss", lambda step: 10 * MB + (step % 3) * 4096, steps=12), is_final=True)["rss"]
    assert found.verdict is Kind.STEADY


def test_twelve_steps_with_a_few_rises_are_undecided() -> None:
    """They may be the first calls, or a leak."""
    found = judged(track("rss", lambda step: (step // 4) * MB, steps=12), is_final=True)["rss"]
    assert found.verdict is Kind.UNDECIDED


def test_three_steps_say_nothing() -> None:
    """Whatever they show."""
    found = judged(track("fds", lambda step: step, steps=3), is_final=True)["fds"]
    assert (found.verdict, found.detectable_slope) == (Kind.UNDECIDED, math.inf)


def test_no_look_says_nothing() -> None:
    """A trial may end before its first look."""
    assert judged(Track("fds", ()), is_final=True)["fds"].verdict is Kind.UNDECIDED


# --- resident memory and its witnesses -------------------------------------------------------------------


def rss_with(mapped: Callable[[float], float], free: Callable[[float], float], heap: float = 0.0) -> Series:
    return judged(
        track("rss", lambda step: 5000 * step),
        track(MAPPED, mapped),
        track(MALLOC_FREE, free),
        track("native_heap", lambda step: heap * step),
    )["rss"]


def test_resident_memory_that_was_mapped_anew_is_growing() -> None:
    """A map that nobody gives back is in no heap."""
    assert rss_with(mapped=lambda step: 5000 * step, free=lambda _: 0).verdict is Kind.GROWING


def test_resident_memory_in_old_maps_is_steady() -> None:
    """Pages touched for the first time come to an end."""
    found = rss_with(mapped=lambda _: 1e9, free=lambda _: 0)
    assert found.verdict is Kind.STEADY
    assert "mapped before" in found.reason


def test_resident_memory_that_malloc_keeps_free_is_steady() -> None:
    """Fragmentation is no leak."""
    found = rss_with(mapped=lambda step: 5000 * step, free=lambda step: 4000 * step)
    assert found.verdict is Kind.STEADY
    assert "malloc" in found.reason


def test_resident_memory_needs_no_witness_when_a_heap_grows() -> None:
    """The heap explains it."""
    assert rss_with(mapped=lambda _: 1e9, free=lambda _: 0, heap=5000).verdict is Kind.GROWING


def test_little_growth_that_nothing_explains_is_undecided() -> None:
    """Half a megabyte in all may be anything."""
    found = judged(
        track("rss", lambda step: 500 * step),
        track(MAPPED, lambda step: 500 * step),
        track("python_blocks", lambda _: 1),
    )["rss"]
    assert found.verdict is Kind.UNDECIDED


def test_witnesses_are_no_series() -> None:
    """Only metrics are reported."""
    assert set(judged(track(MAPPED, lambda step: step), track("fds", lambda _: 1))) == {"fds"}


# --- all together -----------------------------------------------------------------------------------------


def test_one_series_that_grows_makes_the_trial_growing() -> None:
    """Else one that is undecided makes it undecided."""
    grows, hides = track("fds", lambda step: step), track("native_heap", noise(MB))
    level = track("threads", lambda _: 1)
    assert overall(tuple(judged(grows, hides, level).values())) is Kind.GROWING
    assert overall(tuple(judged(hides, level).values())) is Kind.UNDECIDED
    assert overall(tuple(judged(level).values())) is Kind.STEADY


def test_more_series_that_move_make_each_harder_to_believe() -> None:
    """The chance of a false alarm is that of the trial, not that of each series."""
    names = [name for name, metric in METRICS.items() if name != "rss"]
    alone = judged(track("fds", noise(1)))["fds"]
    together = judged(*(track(name, noise(1)) for name in names))["fds"]
    assert together.interval[0] < alone.interval[0]
    assert together.interval[1] > alone.interval[1]


def test_noise_in_all_series_raises_no_alarm() -> None:
    """At most one clean trial in a hundred is called growing."""
    alarms = 0
    for seed in range(40):
        tracks = [track(name, noise(100, seed=1000 * seed + at), looks=60) for at, name in enumerate(METRICS)]
        alarms += overall(tuple(judged(*tracks, is_final=True).values())) is Kind.GROWING
    assert alarms <= 1


# --- what is told --------------------------------------------------------------------------------------------


def garbage(metric: str, each: float, gap: int) -> Track:
    points = tuple((float(gap * look), 5.0) for look in range(30))
    return Track(metric, points, (each * gap,) * 30)


def test_garbage_is_counted_per_step() -> None:
    """Between looks that are close together; in long gaps Python collects by itself."""
    assert garbage_per_step(garbage("fds", each=2, gap=3)) == 2
    assert garbage_per_step(garbage("fds", each=2, gap=1000)) == 0
    assert garbage_per_step(Track("fds", ())) == 0


def test_what_only_the_collector_releases_is_a_finding_but_no_leak() -> None:
    """A warning that says how much, beside a steady verdict."""
    tracks = {"fds": garbage("fds", each=1, gap=1)}
    series = tuple(judged(*tracks.values(), is_final=True).values())
    (found,) = findings(tracks, series)
    assert (found.code, found.metric, overall(series)) == ("gc_only", "fds", Kind.STEADY)
    assert found.message == "Open descriptors: 1 descriptors a step are released only by the garbage collector."


def test_leaks_are_told_first() -> None:
    """The worst comes first."""
    leak, floating = track("fds", lambda step: step), garbage("python_blocks", each=5, gap=1)
    series = tuple(judged(floating, leak, is_final=True).values())
    told = findings({"python_blocks": floating, "fds": leak}, series)
    assert [each.code for each in told] == ["leak", "gc_only"]
    assert told[0].message == "Open descriptors: grows by 1 descriptors a step."
