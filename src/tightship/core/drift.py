"""Whether an operation leaves more memory in its slots with every job: jobs of all sizes, slots that come and go.

A slot's level - what it holds after a job has settled - differs from slot to slot, moves with the size of the job, and
steps up with the largest job so far, because allocators keep some of their high water. None of that is a leak. So
levels are compared only within one slot, between two records of size, after the usual effect of size is taken off. What
is left is cut into blocks of neighbouring jobs; each block has a rate of growth, and the blocks vote. Decisions only:
whoever asked acts.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from tightship.core.trend import MAD_TO_SIGMA
from tightship.core.verdict import Kind
from tightship.units import format_bytes

#: Bytes per job that nobody needs to care about: a slot's usual 500 jobs would pile up 5 MiB.
FLOOR_BYTES = 10.0 * 2**10
#: Bytes per job that must not be missed: a job a second would take 8 GiB a day.
TARGET_BYTES = 100.0 * 2**10
#: Readings of a block at least: fewer have no slope worth a vote. Slots that live for less than twice as many jobs do
#: not count, for the first half of a slot's life is its warm-up.
MIN_BLOCK = 4
#: Blocks that are aimed for: enough that a few may be wrong at the latest looks, few enough that each is long.
BLOCKS = 24
#: Groups of equal count that sizes are put into to learn their effect.
SIZE_GROUPS = 12
#: Neighbours on each side that a level is compared with to learn the effect of size: near, so that growth is no part
#: of it.
NEIGHBOURS = 8
#: A leak keeps its rate, a cache that fills up slows down: growth below this share of the rate before may be one.
RATE_KEPT = 0.75
#: Share of its growth by which the middle of a life's last quarter must lie above nearly all of the two before: a cache
#: that is emptied now and then rises most of the time, too, but only to where it has been. Noise takes some of it.
NEW_HIGH = 0.25
#: A leak does not give back. What falls at one go by what so many jobs have added, and by so many times what levels
#: usually move by, is a cache that was emptied.
EMPTIED_JOBS = 20
EMPTIED_SIGMA = 8.0
#: Share of the jobs in whose slots that must have been seen.
EMPTIED_SHARE = 0.5
#: Neighbours on each side whose medians a fall is measured between, so that an outlier is none.
FALL_NEIGHBOURS = 3
#: Share of readings that "nearly all" is, so that a single outlier does not count as a level.
NEARLY_ALL = 0.9
#: Share of the growth that must have come during the operation's own jobs, for other operations share its slots.
OWN_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Reading:
    """What a slot held after a job.

    Args:
        slot: Which process it was.
        job: Number of the job among the operation's jobs in this slot.
        era: How many jobs of the slot were larger than all before; levels compare within one era only.
        sizes: The job's sizes, each in any unit of its own; every reading has the same ones.
        level_bytes: Memory held after settling.
        kept_bytes: What the operation's jobs in this slot have added to it so far, all together.
    """

    slot: int
    job: int
    era: int
    sizes: tuple[float, ...]
    level_bytes: float
    kept_bytes: float


@dataclass(frozen=True)
class Drift:
    """What the levels showed.

    Args:
        kind: Whether they grow.
        slope_bytes: Growth per job, with the effect of size taken off; None where too little is known.
        interval_bytes: Its low and high bound.
        detectable_bytes: Growth per job that would have shown as often as not.
        jobs: How many jobs had been seen when this was decided.
        slots: How many slots had a vote.
        reason: One sentence with the figures that decided.
    """

    kind: Kind
    slope_bytes: float | None
    interval_bytes: tuple[float, float] | None
    detectable_bytes: float | None
    jobs: int
    slots: int
    reason: str


@dataclass(frozen=True)
class _Rate:
    """Growth per job within a block: of the level, and as far as it came during the operation's own jobs."""

    level: float
    own: float


@dataclass(frozen=True)
class _Climb:
    """How the quarters of the slots' lives lie above each other, per job: a look from further off than the blocks'.

    Args:
        earlier: From the second quarter to the third.
        later: From the third to the last.
        new_high: From nearly all of those two to the last.
    """

    earlier: float
    later: float
    new_high: float


def drift(
    readings: Sequence[Reading],
    *,
    jobs: int,
    error: float,
    floor_bytes: float = FLOOR_BYTES,
    target_bytes: float = TARGET_BYTES,
) -> Drift:
    """Judge whether levels grow from job to job.

    Blocks without growth rise as often as they fall. So many of them rise together that chance does it at most once in
    1 / `error` looks: that alone is growth, whatever the noise looks like.

    Args:
        readings: In the order of the jobs within each slot; they may have gaps.
        jobs: How many jobs were seen in all.
        error: Chance of a false alarm that this look may take.
        floor_bytes: Growth per job that does not matter.
        target_bytes: Growth per job that must not be missed.

    Source: order statistics as bounds of a median, after Thompson, Annals of Mathematical Statistics 7 (1936);
        false alarms and power in benchmarks/drift_simulation.py.
    """
    lives = _lives(_without_size(readings))
    rates, slots = _rates(lives)
    rank = _rank(len(rates), error)
    if rank is None:
        return Drift(Kind.UNDECIDED, None, None, None, jobs, slots, _too_little(lives, jobs))
    levels = sorted(rate.level for rate in rates)
    slope, low, high = median(levels), levels[rank], levels[-1 - rank]
    detectable = floor_bytes + (high - low) / 2
    if low > floor_bytes:
        kind, why = _of_growth(slope, median(rate.own for rate in rates), _climb(lives), _emptied(lives, slope))
    elif max(high, detectable) < target_bytes:
        kind, why = Kind.STEADY, "Does not grow"
    else:
        kind = Kind.UNDECIDED
        why = f"Growth of {format_bytes(target_bytes)} a job can neither be seen nor ruled out yet; more jobs may tell"
    reason = (
        f"{why}: {format_bytes(slope)} a job over {_counted(jobs, 'job')} in {_counted(slots, 'slot')} "
        f"(between {format_bytes(low)} and {format_bytes(high)}, {format_bytes(detectable)} detectable)."
    )
    return Drift(kind, slope, (low, high), detectable, jobs, slots, reason)


def _of_growth(slope: float, own: float, climb: _Climb, emptied: float) -> tuple[Kind, str]:
    if climb.new_high < NEW_HIGH * slope or emptied > EMPTIED_SHARE:
        return Kind.UNDECIDED, "Rises, but has been as high before: a cache may be emptied now and then"
    if climb.later < RATE_KEPT * climb.earlier:
        return Kind.UNDECIDED, "Grows, but ever slower: a cache may be filling up"
    if own < OWN_SHARE * slope:
        return Kind.UNDECIDED, "Its slots grow, but during other operations' jobs"
    return Kind.GROWING, "Grows"


def _too_little(lives: Sequence[Sequence[Reading]], jobs: int) -> str:
    longest = max((life[-1].job + 1 for life in lives), default=0)
    if longest < 2 * MIN_BLOCK:
        lived = f"no slot has done more than {longest} of them, and a slot counts from {2 * MIN_BLOCK} on"
        return f"Too little to judge after {_counted(jobs, 'job')}: {lived}."
    return f"Too little to judge after {_counted(jobs, 'job')} of changing size: more jobs will tell."


# --- the effect of size ------------------------------------------------------------------------------


def _without_size(readings: Sequence[Reading]) -> list[tuple[Reading, float]]:
    """Return each reading with its level, less what jobs of its sizes usually add."""
    levels = [reading.level_bytes for reading in readings]
    eras = defaultdict(list)
    for at, reading in enumerate(readings):
        eras[reading.slot, reading.era].append(at)
    for which in range(len(readings[0].sizes) if readings else 0):
        groups = _groups([reading.sizes[which] for reading in readings])
        above = _above_neighbours(levels, eras.values())
        found = defaultdict(list)
        for group, height in zip(groups, above, strict=True):
            found[group].append(height)
        effect = {group: median(heights) for group, heights in found.items()}
        levels = [level - effect[group] for level, group in zip(levels, groups, strict=True)]
    return list(zip(readings, levels, strict=True))


def _groups(sizes: Sequence[float]) -> list[int]:
    ranked = sorted(sizes)
    bounds = [ranked[len(ranked) * group // SIZE_GROUPS] for group in range(1, SIZE_GROUPS)]
    return [bisect_left(bounds, size) for size in sizes]


def _above_neighbours(levels: Sequence[float], eras: Iterable[Sequence[int]]) -> list[float]:
    above = [0.0] * len(levels)
    for era in eras:
        for place, at in enumerate(era):
            near = era[max(0, place - NEIGHBOURS) : place + NEIGHBOURS + 1]
            above[at] = levels[at] - median(levels[other] for other in near)
    return above


# --- the blocks --------------------------------------------------------------------------------------

_Life = list[Reading]


def _lives(adjusted: Sequence[tuple[Reading, float]]) -> list[_Life]:
    lives: dict[int, _Life] = defaultdict(list)
    for reading, level in adjusted:
        lives[reading.slot].append(replace(reading, level_bytes=level))
    return list(lives.values())


def _rates(lives: Sequence[_Life]) -> tuple[list[_Rate], int]:
    """Cut the last half of each life into blocks; return their rates and how many slots gave any."""
    parts = [part for life in lives if len(part := _part(life, 0.5, 1.0)) >= MIN_BLOCK]
    length = max(MIN_BLOCK, sum(map(len, parts)) / BLOCKS)
    rates = []
    slots = 0
    for part in parts:
        count = max(1, int(len(part) / length))
        cuts = [len(part) * cut // count for cut in range(count + 1)]
        blocks = (part[low:high] for low, high in pairwise(cuts))
        found = [rate for block in blocks if (rate := _rate(block)) is not None]
        rates += found
        slots += bool(found)
    return rates, slots


def _climb(lives: Sequence[_Life]) -> _Climb:
    earlier = later = new_high = jobs = 0.0
    for life in lives:
        quarters = [[r.level_bytes for r in _part(life, at, at + 0.25)] for at in (0.25, 0.5, 0.75)]
        if all(quarters):
            second, third, last = map(median, quarters)
            earlier += third - second
            later += last - third
            before = sorted(quarters[0] + quarters[1])
            new_high += last - before[int(NEARLY_ALL * len(before))]
            jobs += life[-1].job / 4
    return _Climb(earlier / jobs, later / jobs, new_high / jobs) if jobs else _Climb(0.0, 0.0, 0.0)


def _emptied(lives: Sequence[_Life], slope: float) -> float:
    """Return the share of the jobs that ran in slots whose level fell as leaks never do."""
    ran = {True: 0.0, False: 0.0}
    for life in lives:
        levels = [reading.level_bytes for reading in _part(life, 0.25, 1.0)]
        middles = [median(levels[at : at + FALL_NEIGHBOURS]) for at in range(len(levels) - FALL_NEIGHBOURS + 1)]
        falls = [before - after for before, after in zip(middles, middles[FALL_NEIGHBOURS:], strict=False)]
        if falls:
            middle = median(falls)
            usual = EMPTIED_SIGMA * MAD_TO_SIGMA * median(abs(fall - middle) for fall in falls)
            ran[max(falls) > max(usual, EMPTIED_JOBS * slope)] += life[-1].job
    return ran[True] / max(1.0, sum(ran.values()))


def _part(life: _Life, start: float, end: float) -> _Life:
    return [reading for reading in life if start * life[-1].job < reading.job <= end * life[-1].job]


def _rate(block: Sequence[Reading]) -> _Rate | None:
    """Return the median of the slopes between all pairs of one era; None where no two readings compare."""
    slopes = [
        (after.level_bytes - before.level_bytes) / (after.job - before.job)
        for at, before in enumerate(block)
        for after in block[at + 1 :]
        if after.era == before.era
    ]
    if not slopes:
        return None
    own = (block[-1].kept_bytes - block[0].kept_bytes) / (block[-1].job - block[0].job)
    return _Rate(median(slopes), own)


def _rank(blocks: int, error: float) -> int | None:
    """Return how many of the lowest rates to pass over: the next one bounds the median, but for a share of `error`."""
    chance = 0.0
    for rank in range(blocks // 2):
        chance += math.comb(blocks, rank) / 2**blocks
        if chance > error:
            return rank - 1 if rank else None
    return None


def _counted(count: int, one: str) -> str:
    return f"{count:,} {one if count == 1 else one + 's'}"
