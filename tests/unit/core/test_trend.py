"""Slopes, their intervals, and what noise does to them."""

from __future__ import annotations

import math
import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightship.core.trend import Line, autocorrelation, kendall_variance, noise_around, theil_sen, variance_inflation

Z99 = 2.576


def white(seed: int, count: int, slope: float = 0.0) -> list[tuple[float, float]]:
    rng = random.Random(seed)
    return [(float(step), slope * step + rng.gauss(0, 1)) for step in range(count)]


def persistent(seed: int, count: int, phi: float) -> list[float]:
    rng = random.Random(seed)
    values = [rng.gauss(0, 1)]
    while len(values) < count:
        values.append(phi * values[-1] + math.sqrt(1 - phi**2) * rng.gauss(0, 1))
    return values


def line(residuals: list[float]) -> Line:
    return Line(0.0, -1.0, 1.0, tuple(residuals), float(len(residuals)))


def test_a_straight_line_is_found_exactly() -> None:
    """Without noise the slope, its interval and the residuals are exact."""
    found = theil_sen([(float(x), 3.0 * x + 7) for x in range(10)], Z99)
    assert (found.slope, found.low, found.high) == (3.0, 3.0, 3.0)
    assert set(found.residuals) == {0.0}
    assert found.steps == 10.0


def test_the_interval_has_the_ranks_that_kendalls_variance_gives() -> None:
    """Of 21 pairs, 1.96 standard deviations of S (13.05) leave the middle 13: three slopes below, two above."""
    points = list(zip([1.0, 2, 3, 4, 10, 12, 18], [9.0, 15, 19, 20, 45, 55, 78], strict=True))
    slopes = sorted((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2))
    found = theil_sen(points, 1.96)
    assert (found.low, found.slope, found.high) == (slopes[3], slopes[10], slopes[18])


def test_outliers_do_not_bend_the_line() -> None:
    """A fifth of wild values leaves the slope where it was."""
    points = [(x, y + (1000 if x % 5 == 0 else 0)) for x, y in white(1, 100, slope=1.0)]
    assert theil_sen(points, Z99).slope == pytest.approx(1.0, abs=0.05)


def test_the_interval_holds_the_slope_as_often_as_it_says() -> None:
    """Of 300 intervals at 99 %, about three miss."""
    found = [theil_sen(white(seed, 30, slope=0.5), Z99) for seed in range(300)]
    assert sum(not one.low <= 0.5 <= one.high for one in found) <= 8


def test_the_variance_of_s_without_ties_is_the_known_formula() -> None:
    """n (n - 1) (2 n + 5) / 18."""
    assert kendall_variance(range(10)) == pytest.approx(125.0)


def test_ties_take_variance_away() -> None:
    """A group of t equal values takes t (t - 1) (2 t + 5) / 18; all equal leaves none."""
    assert kendall_variance([1, 1, 1, 2, 3, 4, 5, 6, 7, 8]) == pytest.approx(125 - 66 / 18)
    assert kendall_variance([4] * 10) == 0


def test_the_scale_of_normal_noise_is_its_standard_deviation() -> None:
    """Robust measures agree with the plain one where there are no outliers."""
    found = noise_around([theil_sen(white(2, 200), Z99)], Z99)
    assert found.sigma == pytest.approx(1.0, rel=0.15)


def test_the_scale_ignores_a_few_outliers() -> None:
    """One value in twenty may be anything."""
    residuals = [residual for _, residual in white(3, 200)]
    wild = [100.0 if index % 20 == 0 else residual for index, residual in enumerate(residuals)]
    assert noise_around([line(wild)], Z99).sigma == pytest.approx(1.0, rel=0.3)


def test_mostly_equal_values_still_have_a_scale() -> None:
    """Memory that moves by a page now and then is not noiseless: a median of zero promises too much."""
    assert noise_around([line([0.0] * 19 + [20.0])], Z99).sigma > 0


def test_no_noise_has_no_scale_and_no_inflation() -> None:
    """A constant is a constant."""
    found = noise_around([line([0.0] * 20)], Z99)
    assert (found.sigma, found.inflation) == (0.0, 1.0)


def test_few_residuals_widen_the_interval_as_students_t_does() -> None:
    """With 10 degrees of freedom the 99 % quantile is 3.169 instead of 2.576."""
    alternating = [1.0, -1.0] * 6
    assert noise_around([line(alternating)], Z99).small_sample * Z99 == pytest.approx(3.169, rel=0.01)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
def test_autocorrelation_is_found(phi: float) -> None:
    """On average the estimate is the truth, although each line hides a part."""
    found = [
        autocorrelation([theil_sen(list(enumerate(persistent(seed, 60, phi))), Z99).residuals]) for seed in range(60)
    ]
    assert sum(found) / len(found) == pytest.approx(phi, abs=0.1)


def test_independent_noise_inflates_hardly() -> None:
    """Looking for correlation costs little where there is none."""
    found = [variance_inflation([persistent(seed, 200, 0.0)]) for seed in range(20)]
    assert sum(found) / len(found) < 1.5


def test_persistent_noise_inflates_by_its_memory() -> None:
    """For phi 0.8 the variance of a slope is nine times that of independent noise; the estimate errs upwards."""
    found = [variance_inflation([persistent(seed, 2000, 0.8)]) for seed in range(10)]
    assert 9 <= sum(found) / len(found) <= 13.5


def test_correlation_hidden_under_noise_is_found_in_averages() -> None:
    """A slow wander under fast noise shows little from one sample to the next, and much from block to block."""
    rng = random.Random(5)
    values = [slow + rng.gauss(0, 1.5) for slow in persistent(5, 2000, 0.95)]
    neighbours = autocorrelation([values])
    assert variance_inflation([values]) > 1.5 * (1 + neighbours) / (1 - neighbours)


def test_a_random_walk_widens_the_interval_to_its_own_variance() -> None:
    """The inflation is limited by the worst noise there is, so the interval stays finite."""
    walk = line([float(step) for step in range(40)])
    found = walk.through(noise_around([walk], Z99))
    assert math.isfinite(found.low)
    assert math.isfinite(found.high)
    assert found.high - found.low > (walk.high - walk.low) * math.sqrt(1.5 * 40) * 0.99


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=30))
def test_the_slope_lies_in_its_interval_and_turns_with_the_values(values: list[int]) -> None:
    """The slope is inside, and mirrored values have the mirrored slope."""
    found = theil_sen([(float(step), float(value)) for step, value in enumerate(values)], Z99)
    mirrored = theil_sen([(float(step), -float(value)) for step, value in enumerate(values)], Z99)
    assert found.low <= found.slope <= found.high
    assert mirrored.slope == pytest.approx(-found.slope)
