"""What is said of a series."""

from __future__ import annotations

import importlib.util
import math
import random
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightship.core.verdict import MIN_STEPS_EXACT, Kind, Verdict, verdict

SIMULATION = Path(__file__).parents[3] / "benchmarks" / "verdict_simulation.py"


def noisy(count: int, slope: float = 0.0, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [slope * step + rng.gauss(0, 1) for step in range(count)]


def judged(series: list[float] | list[tuple[float, float]], floor: float = 0.0, target: float = 1.0) -> Verdict:
    return verdict(series, floor=floor, target=target)


# --- the three answers -----------------------------------------------------------------------------


def test_a_constant_series_is_steady_and_hides_nothing() -> None:
    """Without noise any growth would have shown."""
    found = judged([42.0] * 200)
    assert (found.kind, found.slope, found.interval, found.detectable_slope) == (Kind.STEADY, 0.0, (0.0, 0.0), 0.0)


def test_noise_around_a_level_is_steady() -> None:
    """The interval reaches to zero, and growth of the target size would have shown."""
    found = judged(noisy(200))
    assert found.kind is Kind.STEADY
    assert found.interval[0] < 0 < found.interval[1]
    assert 0 < found.detectable_slope < 1.0


def test_a_leak_under_noise_is_growing_at_its_rate() -> None:
    """The slope is found and lies in the interval."""
    found = judged(noisy(200, slope=0.5))
    assert found.kind is Kind.GROWING
    assert found.interval[0] <= 0.5 <= found.interval[1]


def test_a_series_that_falls_is_steady() -> None:
    """Giving memory back is no growth."""
    assert judged(noisy(200, slope=-0.5)).kind is Kind.STEADY


def test_growth_up_to_the_floor_does_not_matter() -> None:
    """The floor is the caller's word for small enough."""
    assert judged(noisy(200, slope=0.5), floor=0.6).kind is Kind.STEADY


def test_noise_that_may_hide_the_target_leaves_it_undecided() -> None:
    """Not found is not the same as not there."""
    found = judged(noisy(200), target=0.001)
    assert found.kind is Kind.UNDECIDED
    assert found.detectable_slope > 0.001


def test_a_cache_that_fills_is_steady_by_fading() -> None:
    """Growth that slows down by more than half is a cache, not a leak."""
    found = judged([100 * (1 - math.exp(-step / 160)) for step in range(400)], target=5.0)
    assert found.kind is Kind.STEADY
    assert "fades" in found.reason


def test_warm_up_before_the_windows_does_not_count() -> None:
    """What happens in the first quarter is nobody's leak."""
    assert judged([min(step, 50) * 100.0 for step in range(200)]).kind is Kind.STEADY


def test_a_sawtooth_as_long_as_the_window_is_not_growing() -> None:
    """Both windows rise, but only to where the series has been before."""
    assert judged([float(step % 200) for step in range(390)]).kind is not Kind.GROWING


def test_growth_that_speeds_up_is_growing() -> None:
    """A rate that is more than kept is kept."""
    assert judged([0.01 * step**2 for step in range(200)], target=100.0).kind is Kind.GROWING


def test_a_staircase_of_pages_is_growing() -> None:
    """Memory grows in pages; the stairs do not hide the slope."""
    found = judged([float(4096 * (step // 16)) for step in range(400)], target=1000.0)
    assert found.kind is Kind.GROWING
    assert found.slope == pytest.approx(256, rel=0.1)


# --- how much is enough ----------------------------------------------------------------------------


@pytest.mark.parametrize("series", [[], [1.0], [1.0] * 99])
def test_too_few_steps_are_undecided(series: list[float]) -> None:
    """Below a hundred steps warm-up looks like growth."""
    found = judged(series)
    assert found.kind is Kind.UNDECIDED
    assert found.detectable_slope == math.inf


def test_exact_counters_are_judged_after_few_steps() -> None:
    """One descriptor a step needs no statistics."""
    grown = verdict(range(30), floor=0.1, target=0.5, min_steps=MIN_STEPS_EXACT)
    level = verdict([7] * 30, floor=0.1, target=0.5, min_steps=MIN_STEPS_EXACT)
    assert (grown.kind, level.kind) == (Kind.GROWING, Kind.STEADY)


def test_few_samples_over_many_steps_are_undecided() -> None:
    """Steps alone say nothing where nobody looked."""
    assert judged([(float(step), 1.0) for step in range(0, 1000, 200)]).kind is Kind.UNDECIDED


def test_samples_at_random_steps_give_the_slope_per_step() -> None:
    """Two windows of a dozen random looks each are enough for a clear leak."""
    rng = random.Random(4)
    steps = sorted(rng.sample(range(1000), 48))
    found = judged([(float(step), 3.0 * step + rng.gauss(0, 20)) for step in steps])
    assert found.kind is Kind.GROWING
    assert found.slope == pytest.approx(3.0, rel=0.1)
    assert (found.samples, found.steps) == (48, steps[-1] - steps[0] + 1)


def test_a_long_series_is_judged_on_all_of_it() -> None:
    """Neighbours are drawn together, not skipped: the detectable slope goes on falling with the length."""
    short, long = judged(noisy(400)), judged(noisy(4000))
    assert long.kind is Kind.STEADY
    assert long.detectable_slope < short.detectable_slope / 10


# --- what goes in and comes out ----------------------------------------------------------------------


def test_values_and_pairs_mean_the_same() -> None:
    """Plain values are one a step."""
    values = noisy(150)
    assert judged(values) == judged([(float(step), value) for step, value in enumerate(values)])


def test_the_reason_tells_the_figures() -> None:
    """One sentence says what was found, over how much, and how sure."""
    found = judged([250.0 * step for step in range(200)], target=1000.0)
    assert found.reason == (
        "Grows and keeps its rate: 250 a step over the last half of 200 steps (99% interval 250 to 250, 0 detectable)."
    )


@pytest.mark.parametrize(
    ("confidence", "words"),
    [(0.5, "(50% interval"), (0.99, "(99% interval"), (0.999, "(99.9% interval"), (0.99975, "(99.975% interval")],
)
def test_the_reason_tells_the_confidence_from_certainty(confidence: float, words: str) -> None:
    """A hundred percent is never claimed."""
    assert words in verdict([1.0] * 200, floor=0, target=1, confidence=confidence).reason


@pytest.mark.parametrize(
    ("series", "complaint"),
    [
        ([1.0, math.nan], "finite"),
        ([1.0, math.inf], "finite"),
        ([(1.0, 1.0), (1.0, 2.0)], "rise"),
        ([(2.0, 1.0), (1.0, 2.0)], "rise"),
    ],
)
def test_a_series_that_makes_no_sense_is_refused(series: list[float], complaint: str) -> None:
    """Broken input is an error, never a verdict."""
    with pytest.raises(ValueError, match=complaint):
        judged(series)


@pytest.mark.parametrize(("floor", "target"), [(-1.0, 1.0), (0.0, -1.0)])
def test_negative_limits_are_refused(floor: float, target: float) -> None:
    """A slope that matters is a growth."""
    with pytest.raises(ValueError, match="negative"):
        judged([1.0] * 200, floor, target)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=100, max_size=160), st.integers(-10, 10), st.integers(1, 8))
def test_level_and_unit_do_not_matter(values: list[int], level: int, unit: int) -> None:
    """A series in other units, or from another base, has the same verdict in those units."""
    plain = verdict(values, floor=0.0, target=0.5)
    scale = 2.0**unit
    other = verdict([scale * (value + level) for value in values], floor=0.0, target=0.5 * scale)
    assert other.kind is plain.kind
    assert other.slope == pytest.approx(scale * plain.slope)
    assert other.detectable_slope == pytest.approx(scale * plain.detectable_slope)


# --- how often it is wrong (in small; the whole is benchmarks/verdict_simulation.py) --------------------


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verdict_simulation", SIMULATION)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name",
    [
        "white noise",
        "AR(1), phi 0.9",
        "jumps to a level, 1 in 5",
        "sawtooth, period 1/8",
        "receipts of mixed job sizes",
    ],
)
def test_series_that_do_not_grow_raise_no_alarm_and_their_leaks_are_found(simulation: ModuleType, name: str) -> None:
    """At most one false alarm in a hundred series, and 19 of 20 leaks of twice the detectable slope."""
    model = simulation.STATIONARY[name]
    assert simulation.false_alarms(model, 100, 100) <= 0.01
    assert simulation.power(model, 100, 60) >= 0.95


@pytest.mark.parametrize("name", ["sawtooth, period 1/2", "cache filling, 1/4", "full after 1/2"])
def test_growth_that_passes_raises_no_alarm(simulation: ModuleType, name: str) -> None:
    """At most one false alarm in a hundred series that rise for a while."""
    assert simulation.false_alarms(simulation.PASSING[name], 100, 100) <= 0.01


def test_a_leak_of_the_target_size_is_not_called_steady() -> None:
    """Steady means that growth of the target size would have shown."""
    found = []
    for seed in range(100):
        target = judged(noisy(120, seed=seed), target=math.inf).detectable_slope
        found.append(judged(noisy(120, slope=target, seed=seed), target=1.001 * target).kind)
    assert found.count(Kind.STEADY) <= 1
