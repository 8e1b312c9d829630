"""How a noisy series rises: a robust slope, its interval, and how much its noise really tells."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

#: A standard deviation is this many median absolute deviations, when the noise is normal.
MAD_TO_SIGMA = 1.4826
#: Nine of ten absolute residuals lie below this many standard deviations, when the noise is normal.
SIGMA_OF_NINE_TENTHS = 1.645
#: A standard deviation is this many mean absolute deviations, when the noise is normal.
MEAN_TO_SIGMA = 1.2533
#: Residuals count no further out than this many scales, so that one outlier cannot hide an autocorrelation.
CLIP_SIGMA = 3.0
#: Neighbours averaged when looking for correlation that reaches further than the next sample.
BLOCK_WIDTHS = (1, 2, 4)
#: Fewer blocks than this in a window say nothing about their correlation.
MIN_BLOCKS = 5
#: Through a random walk, the worst noise there is, a slope varies 1.5 n times more than through white noise of its
#: scale: a line through n steps has variance 1.2/n, and what it leaves has variance n/15.
RANDOM_WALK_INFLATION = 1.5
#: Independent residuals a scale is credited with at least, however correlated they are.
MIN_FREEDOM = 4.0


@dataclass(frozen=True)
class Slope:
    """A slope and what is known of it, in units of the value per step."""

    value: float
    low: float
    high: float
    standard_error: float


@dataclass(frozen=True)
class Line:
    """A line through a window; its interval is right if the noise is independent.

    Args:
        slope, low, high: Units of the value per step.
        residuals: What is left of each value when the line is taken off, in the order of the steps.
        steps: From the first sample of the window to the last, one sample's share included.
    """

    slope: float
    low: float
    high: float
    residuals: tuple[float, ...]
    steps: float

    def through(self, noise: Noise) -> Slope:
        """Return the slope with its interval widened to what `noise` allows."""
        worst = max(1.0, RANDOM_WALK_INFLATION * len(self.residuals))
        widening = noise.small_sample * math.sqrt(min(noise.inflation, worst))
        error = noise.sigma * math.sqrt(12 / len(self.residuals)) / self.steps
        return Slope(
            self.slope,
            self.slope - widening * (self.slope - self.low),
            self.slope + widening * (self.high - self.slope),
            widening * error,
        )


@dataclass(frozen=True)
class Noise:
    """What lies around the lines.

    Args:
        sigma: Its scale, as the standard deviation of a normal would be.
        inflation: How many times more a slope varies through it than through independent noise.
        small_sample: How much wider intervals must be because `sigma` itself is known from few residuals.
    """

    sigma: float
    inflation: float
    small_sample: float


def theil_sen(points: Sequence[tuple[float, float]], z: float) -> Line:
    """Draw the line whose slope is the median of the slopes between all pairs.

    Args:
        points: (step, value), steps strictly rising, at least two.
        z: Half width of the interval in standard deviations of Kendall's S.

    Source: P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63 (1968).
    """
    slopes = sorted((y2 - y1) / (x2 - x1) for i, (x1, y1) in enumerate(points) for x2, y2 in points[i + 1 :])
    slope = median(slopes)
    width = z * math.sqrt(kendall_variance([y for _, y in points]))
    low = slopes[max(0, math.floor((len(slopes) - width) / 2))]
    high = slopes[min(len(slopes) - 1, math.ceil((len(slopes) + width) / 2))]
    offsets = [y - slope * x for x, y in points]
    intercept = median(offsets)
    span = points[-1][0] - points[0][0]
    return Line(slope, low, high, tuple(o - intercept for o in offsets), span * len(points) / (len(points) - 1))


def kendall_variance(values: Sequence[float]) -> float:
    """Return the variance of Kendall's S under no trend, with the correction for ties."""

    def term(count: int) -> int:
        return count * (count - 1) * (2 * count + 5)

    return (term(len(values)) - sum(term(count) for count in Counter(values).values())) / 18


def noise_around(lines: Sequence[Line], z: float) -> Noise:
    """Measure the noise that the residuals of all `lines` show together.

    Args:
        z: Quantile that the intervals will use; small samples widen it as Student's t does.

    Source: Student's quantile from the normal one: Abramowitz and Stegun, 26.7.5.
    """
    sigma = _scale(lines)
    limit = CLIP_SIGMA * sigma
    windows = [[max(-limit, min(limit, residual)) for residual in line.residuals] for line in lines]
    correlation = autocorrelation(windows)
    count = sum(map(len, windows))
    independent = (count - 2 * len(lines)) * (1 - correlation) / (1 + correlation)
    freedom = max(MIN_FREEDOM, independent)
    student = 1 + (z**2 + 1) / (4 * freedom) + (5 * z**4 + 16 * z**2 + 3) / (96 * freedom**2)
    return Noise(sigma, variance_inflation(windows), student)


def _scale(lines: Sequence[Line]) -> float:
    """Take the larger of two robust scales: where most values are equal (memory moves in pages), the median is zero."""
    sizes = sorted(abs(residual) for line in lines for residual in line.residuals)
    nine_tenths = sizes[math.ceil(0.9 * len(sizes)) - 1]
    sigma = max(MAD_TO_SIGMA * median(sizes), nine_tenths / SIGMA_OF_NINE_TENTHS) or MEAN_TO_SIGMA * fmean(sizes)
    # Each line was fitted with two free parameters, which makes what it leaves look smaller than the noise.
    return sigma * math.sqrt(len(sizes) / max(1, len(sizes) - 2 * len(lines)))


def autocorrelation(windows: Sequence[Sequence[float]]) -> float:
    """Return the correlation of neighbouring residuals, 0 to 1, corrected for what fitting a line to each window hides.

    Source: M. G. Kendall, "Note on bias in the estimation of autocorrelation", Biometrika 41 (1954).
    """
    power = sum(residual**2 for window in windows for residual in window)
    if not power:
        return 0.0
    raw = sum(a * b for window in windows for a, b in pairwise(window)) / power
    bias = len(windows) / sum(map(len, windows))
    return min(1.0, max(0.0, (raw + 2 * bias) / (1 - 4 * bias)))


def variance_inflation(windows: Sequence[Sequence[float]]) -> float:
    """Return how many times more a slope varies through this noise than through independent noise of its scale.

    For noise in which each value remembers the one before, that is (1 + r) / (1 - r). Averages of neighbours show
    correlation that reaches further, so the worst of several widths counts. Infinite for a random walk.
    """
    power = fmean([residual**2 for window in windows for residual in window])
    inflation = 1.0
    for width in BLOCK_WIDTHS:
        blocks = [[fmean(w[i : i + width]) for i in range(0, len(w) - width + 1, width)] for w in windows]
        if not power or min(map(len, blocks)) < MIN_BLOCKS:
            break
        correlation = autocorrelation(blocks)
        share = width * fmean([block**2 for window in blocks for block in window]) / power
        inflation = max(inflation, math.inf if correlation >= 1 else share * (1 + correlation) / (1 - correlation))
    return inflation
