"""One series, one verdict: it grows, it is steady, or the data do not say. Decisions only; whoever asked acts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import NormalDist, fmean, median

from tightship.core.trend import Slope, noise_around, theil_sen

#: Steps below which noise and warm-up cannot be told from growth.
MIN_STEPS = 100
#: Steps that are enough for counters read without error: descriptors, threads, child processes.
MIN_STEPS_EXACT = 24
#: Samples that each of the two windows needs.
MIN_SAMPLES = 5
#: Samples of the last window above which neighbours are drawn together: the work grows with their square.
MAX_SAMPLES = 100
#: A leak keeps its rate: the slope of the last window is at least this share of the one before.
RATE_KEPT = 0.75
#: A cache that fills up slows down: growth below this share of the rate before is fading.
RATE_FADING = 0.5
#: Share of the last window's rise by which the end must lie above all that was there before the window.
NEW_HIGH = 0.5
#: Standard errors in the detectable slope. Source: benchmarks/verdict_simulation.py.
DETECTABLE_ERRORS = 4.0

Points = Sequence[tuple[float, float]]


class Kind(StrEnum):
    """What can be said of a series."""

    STEADY = "steady"
    GROWING = "growing"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Verdict:
    """What a series showed. Slopes are in units of the value per step.

    Args:
        kind: Whether it grows.
        slope: Of the last window.
        interval: Low and high bound of the slope, at the confidence asked for.
        detectable_slope: Steady growth of this size is found two times in three, of twice this size 19 times in 20.
        samples: How many values the series has.
        steps: How many steps it covers.
        reason: One sentence with the figures that decided.
    """

    kind: Kind
    slope: float
    interval: tuple[float, float]
    detectable_slope: float
    samples: int
    steps: float
    reason: str


@dataclass(frozen=True)
class _Evidence:
    last: Slope
    before: Slope
    new_high: bool
    confidence: float

    @property
    def detectable_slope(self) -> float:
        """The rate must be seen to be kept, so the noise of both windows counts."""
        return DETECTABLE_ERRORS * math.hypot(self.last.standard_error, RATE_KEPT * self.before.standard_error)

    @property
    def rate_kept(self) -> bool:
        error = math.hypot(self.last.standard_error, RATE_FADING * self.before.standard_error)
        surely_not_fading = NormalDist().inv_cdf(self.confidence) * error
        return (
            self.last.value >= RATE_KEPT * self.before.value
            and self.last.value - RATE_FADING * self.before.value > surely_not_fading
        )

    @property
    def fading(self) -> bool:
        return self.before.low > 0 and self.last.value < RATE_FADING * self.before.value


def verdict(
    series: Sequence[float] | Points,
    *,
    floor: float,
    target: float,
    confidence: float = 0.99,
    min_steps: float = MIN_STEPS,
) -> Verdict:
    """Judge whether a series grows with its steps.

    The last half of the steps is compared with the quarter before it; what lies earlier is warm-up. Growth must be
    above zero and above the floor, keep its rate, and end higher than the series was before.

    Args:
        series: (step, value) pairs with rising steps, or plain values, one a step.
        floor: Slope up to which growth does not matter, in units of the value per step.
        target: Slope that must not be missed: the series is steady only if growth of this size would have shown.
        confidence: Of the interval, both sides together.
        min_steps: Fewer steps stay undecided; `MIN_STEPS_EXACT` serves counters that are read without error.

    Raises:
        ValueError: A value is not finite, steps do not rise, or floor and target are negative.

    Source: design by measurement; false alarms and power in benchmarks/verdict_simulation.py.
    """
    if floor < 0 or target < 0:
        raise ValueError(f"floor {floor} and target {target} must not be negative")
    points = _points(series)
    steps = points[-1][0] - points[0][0] + 1 if points else 0.0
    last, before = _windows(points)
    if steps < min_steps or min(len(last), len(before)) < MIN_SAMPLES:
        reason = (
            f"Too little to judge: {len(points)} samples over {_figure(steps)} steps; {_figure(min_steps)} steps and "
            f"{MIN_SAMPLES} samples in each window are needed."
        )
        return Verdict(Kind.UNDECIDED, 0.0, (-math.inf, math.inf), math.inf, len(points), steps, reason)
    evidence = _weigh(points, last, before, confidence)
    kind, why = _decide(evidence, floor, target)
    slope = evidence.last
    reason = (
        f"{why}: {_figure(slope.value)} a step over the last half of {_figure(steps)} steps "
        f"({_percent(confidence)} interval {_figure(slope.low)} to {_figure(slope.high)}, "
        f"{_figure(evidence.detectable_slope)} detectable)."
    )
    return Verdict(kind, slope.value, (slope.low, slope.high), evidence.detectable_slope, len(points), steps, reason)


def _points(series: Sequence[float] | Points) -> Points:
    points: list[tuple[float, float]] = []
    for index, entry in enumerate(series):
        step, value = entry if isinstance(entry, tuple) else (index, entry)
        points.append((float(step), float(value)))
    if not all(math.isfinite(step) and math.isfinite(value) for step, value in points):
        raise ValueError("steps and values must be finite")
    if any(after <= step for (step, _), (after, _) in pairwise(points)):
        raise ValueError("steps must rise")
    return points


def _windows(points: Points) -> tuple[Points, Points]:
    if not points:
        return (), ()
    start, end = points[0][0], points[-1][0]
    half, quarter = (start + end) / 2, start + (end - start) / 4
    return [p for p in points if p[0] > half], [p for p in points if quarter < p[0] <= half]


def _weigh(points: Points, last: Points, before: Points, confidence: float) -> _Evidence:
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    width = math.ceil(len(last) / MAX_SAMPLES)
    lines = [theil_sen(_condensed(window, width), z) for window in (last, before)]
    noise = noise_around(lines, z)
    slope_last, slope_before = (line.through(noise) for line in lines)
    rise = slope_last.value * (points[-1][0] - points[0][0]) / 2
    return _Evidence(slope_last, slope_before, _height_gained(points) > NEW_HIGH * rise, confidence)


def _condensed(points: Points, width: int) -> Points:
    """Draw `width` neighbours into one, their middle and their median: no sample is skipped, so no period aliases."""
    groups = [points[i : i + width] for i in range(0, len(points), width)]
    return [(fmean(x for x, _ in group), median(y for _, y in group)) for group in groups]


def _height_gained(points: Points) -> float:
    """Return how far the last eighth lies above the highest eighth between warm-up (the first one) and the last half.

    A sawtooth whose teeth are as long as the windows rises in both, but only to where it has been before.
    """
    start, end = points[0][0], points[-1][0]
    eighths: list[list[float]] = [[] for _ in range(8)]
    for step, value in points:
        eighths[min(7, int(8 * (step - start) / (end - start)))].append(value)
    return median(eighths[7]) - max(median(eighth) for eighth in eighths[1:4] if eighth)


def _decide(evidence: _Evidence, floor: float, target: float) -> tuple[Kind, str]:
    slope = evidence.last
    rising = slope.low > 0 and slope.value > floor
    if rising and evidence.rate_kept and evidence.new_high:
        return Kind.GROWING, "Grows and keeps its rate"
    if evidence.detectable_slope > target:
        return Kind.UNDECIDED, f"The noise may hide growth of {_figure(target)} a step"
    if evidence.fading:
        return Kind.STEADY, f"Growth fades from {_figure(evidence.before.value)} a step"
    if slope.low <= floor and slope.high <= max(floor, target):
        return Kind.STEADY, "Does not grow"
    return Kind.UNDECIDED, "Rises, but has been as high before" if rising and evidence.rate_kept else "May be growing"


def _percent(confidence: float) -> str:
    """Write a confidence with as many digits as tell it from certainty."""
    digits = max(0, -math.floor(math.log10(1 - confidence)) - 1) if confidence < 1 else 0
    text = f"{100 * confidence:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}%"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
