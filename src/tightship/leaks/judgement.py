"""All series of a trial, one judgement: pure, so that its error rates can be simulated."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

from tightship.core.verdict import Kind, Verdict, verdict
from tightship.leaks.gauge import MALLOC_FREE, MAPPED
from tightship.leaks.metric import METRICS, Metric
from tightship.leaks.report import Finding, Series
from tightship.leaks.schedule import ENOUGH_STEPS, FEWEST_STEPS, USUAL_BUDGET_S

#: Verdicts that a trial may take on its way: each has a chance to be wrong. Few trials need the last one.
VERDICTS_ON_THE_WAY = 5
#: Smallest change a reading can show, in the metric's unit: a chunk of malloc, a page of the kernel.
RESOLUTION = {"native_heap": 16.0, "rss": 4096.0, "children_rss": 4096.0, "gpu": 512.0}
#: Changes of the size of the resolution that would have been seen in the last half of the steps.
SEEN_CHANGES = 3.0
#: How much more than the target may be hidden at the end of the budget; the reason then tells how much.
RELAXED = 200.0
#: A slope below this share of what is detectable is no sign of growth.
NO_SIGN = 0.2
#: Changes in the last half of the steps that make no trend where all other looks saw the same.
FEW_CHANGES = 2
#: Looks of made-up trials: few, and as many as a real one has.
REHEARSED_LOOKS = (12, 48, 120, 200)
#: The last half of the steps grows this many times faster than the quarter before: growth that speeds up.
ACCELERATING = 1.2
#: Targets that a slope must be above to be believed for its speeding up alone: what drifts by a unit or two may not.
STEEP = 10.0
#: Steps below which, in a budget that was cut short, slow growth of memory may be a cache that has begun to fill.
DOUBTED_STEPS = 313
#: Samples that each eighth of the steps needs to tell that.
SAMPLES_A_PART = 3
#: Share of growth in resident memory that must be newly mapped, and not be malloc's free memory, to be believed.
WITNESSED = 0.5
#: Bytes by which resident memory must grow in the last half if no heap explains it.
UNEXPLAINED_BYTES = 1 << 20
#: Garbage per step that is worth a warning, by metric, in its unit.
GC_ONLY = {
    "python_blocks": 0.9, "native_heap": 4096.0, "fds": 0.05, "threads": 0.05,
    "descendants": 0.05, "temp_files": 0.05, "asyncio_tasks": 0.05, "gpu": 4096.0,
}  # fmt: skip
#: Longest gap between two looks, in steps, whose garbage is counted: in longer ones Python collects by itself.
GC_GAP_STEPS = 64
#: First looks whose garbage is that of imports and first calls.
GC_WARM_UP_LOOKS = 4

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Track:
    """One metric as it was read.

    Args:
        metric: Its name.
        points: (step, value) after garbage was collected.
        floating: What each of these collections released.
    """

    metric: str
    points: Points
    floating: tuple[float, ...] = ()


def judge(
    tracks: Mapping[str, Track],
    *,
    floor: Callable[[str], float],
    confidence: float,
    is_final: bool,
    budget_s: float = USUAL_BUDGET_S,
) -> tuple[Series, ...]:
    """Judge every metric, so that all of them together raise a false alarm no more often than asked.

    Args:
        tracks: By metric; those that are no metric serve as witnesses.
        floor: Growth per step that does not matter, by metric.
        confidence: That no metric of a clean step is called growing in the whole trial.
        is_final: No more steps will be run: what could be hidden may then be larger.
        budget_s: Seconds that the trial may take.
    """
    watched = [track for name, track in tracks.items() if name in METRICS]
    moving = sum(not _is_level(track.points) for track in watched)
    share = (1 - confidence) / max(1, moving * (1 if is_final else VERDICTS_ON_THE_WAY))
    series = tuple(_series(track, floor(track.metric), 1 - share, is_final) for track in watched)
    series = tuple(_witnessed(each, tracks, series) if each.metric == "rss" else each for each in series)
    if budget_s >= USUAL_BUDGET_S:
        return series
    return tuple(_doubted(each, tracks[each.metric].points) for each in series)


def _doubted(series: Series, points: Points) -> Series:
    """Take back slow growth over few steps where the budget was cut short: with the usual one it may have faded."""
    metric = METRICS[series.metric]
    steps = points[-1][0] if points else 0.0
    is_sure = metric.exact or steps >= DOUBTED_STEPS or series.slope >= STEEP * metric.target
    if series.verdict is not Kind.GROWING or is_sure:
        return series
    reason = f"May be a cache that fills; {steps:,.0f} steps are few, and a larger budget tells: {series.reason}"
    return replace(series, verdict=Kind.UNDECIDED, reason=reason)


@cache
def rehearse() -> None:
    """Judge made-up trials: what Python caches for the judgement itself must not look like the step's memory."""
    rng = random.Random(0)
    for looks in REHEARSED_LOOKS:
        noise = tuple((float(step), rng.gauss(0, 100)) for step in range(looks))
        growth = tuple((step, 1000 * step + value) for step, value in noise)
        curve = tuple((step, step**2) for step, _ in noise)
        tracks = {"rss": Track("rss", growth), "fds": Track("fds", noise), "threads": Track("threads", curve)}
        tracks |= {MAPPED: Track(MAPPED, growth), MALLOC_FREE: Track(MALLOC_FREE, noise)}
        for is_final in (False, True):
            judge(tracks, floor=lambda name: METRICS[name].floor, confidence=0.99, is_final=is_final)


def overall(series: Sequence[Series]) -> Kind:
    """Return GROWING if any series grows, else UNDECIDED if any is undecided, else STEADY."""
    kinds = {each.verdict for each in series}
    return next((kind for kind in (Kind.GROWING, Kind.UNDECIDED) if kind in kinds), Kind.STEADY)


def findings(tracks: Mapping[str, Track], series: Sequence[Series]) -> tuple[Finding, ...]:
    """Return what is worth telling: leaks first, then what only the garbage collector released."""
    growing = [each for each in series if each.verdict is Kind.GROWING]
    leaks = [Finding("leak", each.metric, _leak_sentence(each), each.where) for each in growing]
    garbage = [
        Finding("gc_only", each.metric, _garbage_sentence(METRICS[each.metric], floating))
        for each in series
        if (floating := garbage_per_step(tracks[each.metric])) >= GC_ONLY.get(each.metric, math.inf)
    ]
    return (*leaks, *garbage)


def garbage_per_step(track: Track) -> float:
    """Return how much each step leaves to the garbage collector, in the metric's unit."""
    steps = [step for step, _ in track.points]
    gaps = [after - before for before, after in pairwise(steps)]
    counted = [
        (gap, floating)
        for gap, floating in list(zip(gaps, track.floating[1:], strict=False))[GC_WARM_UP_LOOKS:]
        if gap <= GC_GAP_STEPS
    ]
    run = sum(gap for gap, _ in counted)
    return sum(floating for _, floating in counted) / run if run else 0.0


def _series(track: Track, floor: float, confidence: float, is_final: bool) -> Series:
    metric = METRICS[track.metric]
    points = track.points
    steps = points[-1][0] if points else 0.0
    # Half of the steps are judged, and a change of the smallest size must show more than once.
    resolvable = SEEN_CHANGES * RESOLUTION.get(metric.name, 1.0) / max(1.0, steps / 2)
    target = max(metric.target, floor)
    found = verdict(points, floor=floor, target=target, confidence=confidence, min_steps=FEWEST_STEPS)
    found = replace(found, detectable_slope=max(found.detectable_slope, resolvable))
    if found.kind is Kind.STEADY and found.detectable_slope > target:
        found = replace(found, kind=Kind.UNDECIDED, reason=_reason("Too few steps for a verdict yet", found, metric))
    if found.kind is Kind.UNDECIDED and found.slope > max(floor, STEEP * metric.target) and _accelerates(points):
        found = replace(found, kind=Kind.GROWING, reason=_reason("Grows ever faster", found, metric))
    if is_final and found.kind is Kind.UNDECIDED:
        found = _final(found, metric, points, floor, target)
    return Series(
        metric=metric.name,
        unit=metric.unit,
        verdict=found.kind,
        slope=found.slope,
        interval=found.interval,
        detectable_slope=found.detectable_slope,
        reason=found.reason,
        points=points,
    )


def _final(found: Verdict, metric: Metric, points: Points, floor: float, target: float) -> Verdict:
    """Say at the end of the budget what can be said of a series that was undecided until then."""
    if math.isinf(found.detectable_slope):
        return _few(found, metric, [value for _, value in points])
    hidden = target * max(1.0, ENOUGH_STEPS / found.steps) * RELAXED
    is_small = found.slope <= max(floor, NO_SIGN * found.detectable_slope)
    no_sign = is_small or (not metric.exact and _only_shifts(points))
    if no_sign and found.interval[0] <= floor and found.detectable_slope <= hidden:
        return replace(found, kind=Kind.STEADY, reason=_reason("Does not grow as far as can be seen", found, metric))
    return found


def _only_shifts(points: Points) -> bool:
    """Tell whether a series keeps its level but for a change or two in its last half."""
    half = (points[0][0] + points[-1][0]) / 2
    late = [value for step, value in points if step > half]
    return sum(before != after for before, after in pairwise(late)) <= FEW_CHANGES


def _accelerates(points: Points) -> bool:
    """Tell whether a series rises from part to part, faster in its last half than in the quarter before.

    A line fits it badly, so that its own curve would pass for noise.
    """
    start, length = points[0][0], points[-1][0] - points[0][0]
    parts: list[list[float]] = [[] for _ in range(8)]
    for step, value in points:
        parts[min(7, int(8 * (step - start) / length))].append(value)
    if min(map(len, parts)) < SAMPLES_A_PART:
        return False
    judged = parts[2:]
    is_rising = all(max(before) < min(after) for before, after in pairwise(judged))
    middles = [sorted(part)[len(part) // 2] for part in judged]
    early, late = (middles[2] - middles[0]) / 2, (middles[5] - middles[2]) / 3
    return is_rising and late >= ACCELERATING * early


def _few(found: Verdict, metric: Metric, values: Sequence[float]) -> Verdict:
    """Judge so few steps that only what happens in every one of them can be told."""
    if len(values) < 8:
        return found
    rises = [after - before for before, after in pairwise(values[1:])]
    smallest = 1.0 if metric.exact else 16 * RESOLUTION.get(metric.name, 1.0)
    usual = sorted(rises)[len(rises) // 2]
    if min(rises) >= max(smallest, usual / 2):
        bounds = (min(rises), max(rises))
        reason = f"Grows in every one of {len(rises)} steps, by {min(rises):,.0f} {metric.unit} or more."
        return replace(found, kind=Kind.GROWING, slope=usual, interval=bounds, detectable_slope=smallest, reason=reason)
    half = len(values) // 2
    if max(values[half:]) <= max(values[:half]):
        reason = (
            f"No step of the last {len(values) - half} has set a new high; only {len(values)} steps fit the budget."
        )
        return replace(found, kind=Kind.STEADY, interval=(0.0, 0.0), detectable_slope=smallest, reason=reason)
    return found


def _witnessed(rss: Series, tracks: Mapping[str, Track], series: Sequence[Series]) -> Series:
    """Take back growth of resident memory that nothing explains.

    Pages that were mapped long ago are touched for the first time, and malloc keeps what was given back: both raise it,
    and neither goes on for ever.
    """
    if rss.verdict is not Kind.GROWING:
        return rss
    heaps = [each for each in series if each.metric in ("native_heap", "python_blocks")]
    if any(each.verdict is Kind.GROWING for each in heaps) or MAPPED not in tracks:
        return rss
    grown = gained(rss.points)
    free = tracks[MALLOC_FREE].points if MALLOC_FREE in tracks else ()
    if gained(tracks[MAPPED].points) < WITNESSED * grown:
        return replace(rss, verdict=Kind.STEADY, reason=f"Touches memory mapped before: {rss.reason}")
    if free and grown - gained(free) < WITNESSED * grown:
        return replace(rss, verdict=Kind.STEADY, reason=f"Is malloc's free memory: {rss.reason}")
    if grown < UNEXPLAINED_BYTES:
        return replace(rss, verdict=Kind.UNDECIDED, reason=f"Little, and no heap grows: {rss.reason}")
    return rss


def gained(points: Points) -> float:
    """Return by how much the end lies above the middle, each as the median of a few values."""
    middle = len(points) // 2
    width = max(1, min(5, middle))

    def level(part: Points) -> float:
        return sorted(value for _, value in part)[len(part) // 2]

    half = (points[0][0] + points[-1][0]) / 2
    late = tuple(point for point in points if point[0] > half)
    return level(late[-width:]) - level(late[:width])


def _is_level(points: Points) -> bool:
    """Tell whether a series never changed after its first quarter, which no verdict looks at."""
    late = [value for _, value in points[len(points) // 4 :]]
    return not late or min(late) == max(late)


def _reason(why: str, found: Verdict, metric: Metric) -> str:
    return (
        f"{why}: {found.slope:,.3g} {metric.unit} a step over the last half of {found.steps:,.0f} steps; "
        f"growth below {found.detectable_slope:,.3g} a step would not have shown."
    )


def _leak_sentence(series: Series) -> str:
    metric = METRICS[series.metric]
    title = metric.title[0].upper() + metric.title[1:]
    return f"{title}: grows by {series.slope:,.3g} {series.unit} a step."


def _garbage_sentence(metric: Metric, floating: float) -> str:
    title = metric.title[0].upper() + metric.title[1:]
    return f"{title}: {floating:,.3g} {metric.unit} a step are released only by the garbage collector."
