"""Choose the instruments for what grows, and give each its share of the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

from tightship.core.verdict import Kind
from tightship.leaks.report import Origin, Series
from tightship.leaks.watchdog import Hung
from tightship.leaks.where.birth import TABLES, find_births
from tightship.leaks.where.child import find_growing_children
from tightship.leaks.where.memory import MEMORY, find_garbage, find_memory
from tightship.leaks.where.native import find_native
from tightship.leaks.where.rerun import Rerun
from tightship.leaks.where.task import find_tasks

#: Told of each search: the step with its share of the time.
Search = Callable[[Rerun], Mapping[str, tuple[Origin, ...]]]


def locate(
    step: Callable[[], None], series: Sequence[Series], *, budget_s: float, seed: int
) -> dict[str, tuple[Origin, ...]]:
    """Run a step some more times under instruments and say where what stays comes from.

    The instruments are off again afterwards. A step that fails, or the caller's alarm, ends the search; what is known
    by then is returned.

    Args:
        step: Runs one step in this process.
        series: Those that grow, and those of which only the garbage collector lets go: these have another verdict.
        budget_s: No step is started after so many seconds.
        seed: Of the numbers of steps in the windows.

    Returns:
        The origins by metric's name, the largest first; a metric of which nothing was found is missing.
    """
    rerun = Rerun(step, time.monotonic() + budget_s)
    searches = list(_searches(series, seed))
    found: dict[str, tuple[Origin, ...]] = {}
    with suppress(Hung):
        for index, search in enumerate(searches):
            found.update(search(rerun.for_at_most(rerun.remaining_s() / (len(searches) - index))))
            if rerun.over():
                break
    return {metric: origins for metric, origins in found.items() if origins}


def _searches(series: Sequence[Series], seed: int) -> Iterator[Search]:
    for one in series:
        if one.metric in _SEARCHES:
            yield partial(_one, one, seed)
    memory = [one for one in series if one.metric in MEMORY]
    growing = {one.metric: one.slope for one in memory if one.verdict is Kind.GROWING}
    if growing:
        yield partial(find_memory, slopes=growing, seed=seed)
    uncollected = [one.metric for one in memory if one.metric not in growing]
    if uncollected:
        yield partial(find_garbage, metrics=uncollected)


def _one(series: Series, seed: int, rerun: Rerun) -> dict[str, tuple[Origin, ...]]:
    return {series.metric: _SEARCHES[series.metric](rerun, series, seed)}


def _births(rerun: Rerun, series: Series, _seed: int) -> tuple[Origin, ...]:
    return find_births(rerun, series.metric, series.slope, collecting=series.verdict is Kind.GROWING)


_SEARCHES: dict[str, Callable[[Rerun, Series, int], tuple[Origin, ...]]] = {
    **dict.fromkeys(TABLES, _births),
    "asyncio_tasks": lambda rerun, series, _: find_tasks(rerun, series.slope),
    "children_rss": lambda rerun, series, _: find_growing_children(rerun, series.slope),
    "gpu": lambda rerun, series, seed: find_native(rerun, series.metric, series.slope, seed),
}
