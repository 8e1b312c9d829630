"""Which lines' memory stays: Python objects with their holders first, native memory for what they leave unexplained."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tightship.leaks.report import Origin
from tightship.leaks.where.block import EXPLAINED, Growth, explained, share_of
from tightship.leaks.where.heap import Heap, find_growing, find_uncollected, frozen, tracing_memory, unfrozen
from tightship.leaks.where.native import find_native
from tightship.leaks.where.rerun import Rerun, limit
from tightship.leaks.where.sample import describe, sample, sample_held
from tightship.leaks.where.stack import Call, origin

#: Metrics that memory of Python objects shows in.
MEMORY = ("python_blocks", "native_heap", "rss")
#: Lines that are told for one metric.
MOST_ORIGINS = 5
#: Share of the time for the steps of the Python heap; the rest is for holders and for native memory.
STEPPING_SHARE = 0.5
#: Processor time that the search for samples, and then that for holders, may take: a busy machine changes no answer.
SEARCH_S = 1.0

#: Time by the clock that each of them has even if the steps have used up theirs.
LEAST_S = 1.5

#: What stays, and who keeps it.
Words = tuple[str, tuple[str, ...]]


def find_memory(rerun: Rerun, slopes: Mapping[str, float], seed: int) -> dict[str, tuple[Origin, ...]]:
    """Return where memory that stays was made, by metric.

    Args:
        rerun: The step.
        slopes: Growth per step of each growing metric, as the trial saw it.
        seed: Of the numbers of steps.
    """
    heap = Heap()
    with frozen(), tracing_memory():
        growths = find_growing(rerun.for_at_most(rerun.remaining_s() * STEPPING_SHARE), heap, slopes, seed)
        chosen = {metric: share_of(growths, metric, slope)[:MOST_ORIGINS] for metric, slope in slopes.items()}
        words = _words(heap, [growth for pairs in chosen.values() for growth, _ in pairs], rerun)
    found = {metric: tuple(_origin(growth, rate, words) for growth, rate in pairs) for metric, pairs in chosen.items()}
    return {**found, **_native(rerun, slopes, growths, found, seed)}


def _words(heap: Heap, growths: Sequence[Growth], rerun: Rerun) -> dict[Call, Words]:
    calls = {growth.call for growth in growths}
    if not calls:
        return {}
    is_over = limit(SEARCH_S, max(rerun.until_s, time.monotonic() + LEAST_S))
    samples = sample(heap, calls, is_over)
    with unfrozen():
        sample_held(heap, calls, samples, is_over)
        is_over = limit(SEARCH_S, max(rerun.until_s, time.monotonic() + LEAST_S))
        return {call: describe(heap, call, things, is_over) for call, things in samples.items()}


def _origin(growth: Growth, rate: float, words: Mapping[Call, Words]) -> Origin:
    what, holders = words.get(growth.call, ("memory", ()))
    return origin(what, growth.stack, rate, holders)


def _native(
    rerun: Rerun,
    slopes: Mapping[str, float],
    growths: Sequence[Growth],
    found: Mapping[str, tuple[Origin, ...]],
    seed: int,
) -> dict[str, tuple[Origin, ...]]:
    """Look for what the Python heap does not explain; both metrics see most native memory, so one look serves both."""
    shares = {
        metric: explained(growths, metric, slope) for metric, slope in slopes.items() if metric != "python_blocks"
    }
    unexplained = [metric for metric in ("native_heap", "rss") if shares.get(metric, 1.0) < EXPLAINED[0]]
    if not unexplained:
        return {}
    metric = unexplained[0]
    native = find_native(rerun, metric, slopes[metric] * (1 - shares[metric]), seed)
    known = {(one.file, one.line) for origins in found.values() for one in origins}
    native = tuple(one for one in native if one.file is None or (one.file, one.line) not in known)
    return {
        name: found[name] + (native if name == metric else tuple(replace(one, per_step=None) for one in native))
        for name in unexplained
    }


def find_garbage(rerun: Rerun, metrics: Sequence[str]) -> dict[str, tuple[Origin, ...]]:
    """Return where memory was made that only the garbage collector lets go."""
    heap = Heap()
    with frozen(), tracing_memory():
        garbage = find_uncollected(rerun, heap)
    kinds = {growth.call: kind for growth, kind in garbage}
    growths = [growth for growth, _ in garbage]
    return {
        metric: tuple(
            origin(f"{kinds[growth.call]}, released only by the garbage collector", growth.stack, rate)
            for growth, rate in share_of(growths, metric, 0.0)[:MOST_ORIGINS]
        )
        for metric in metrics
    }
