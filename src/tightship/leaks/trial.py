"""Run a step again and again, and say whether anything grows with it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from tightship.core.verdict import Kind
from tightship.errors import InvalidOptions
from tightship.leaks.config import TrialConfig
from tightship.leaks.instrument import open_instruments
from tightship.leaks.judgement import findings, overall
from tightship.leaks.report import Report, Series
from tightship.leaks.run import Run
from tightship.leaks.step import Step, name_of, open_step
from tightship.leaks.watchdog import Watchdog

#: Seconds of a step where there is none to run: a process is only watched.
TICK_S = 0.05
#: Fewer seconds are not worth a search for the origin.
SHORTEST_SEARCH_S = 0.5
#: Seconds after which a search that does not end by itself is cut off: a step may hang in it.
CUT_OFF_S = 2.0


def trial(
    step: Callable[..., Any] | None,
    *,
    name: str | None = None,
    budget: str | float = "20 s",
    ignore: str | Iterable[str] = (),
    floor: Mapping[str, float] | None = None,
    setup: Callable[[], Any] | None = None,
    teardown: Callable[..., Any] | None = None,
    seed: int | None = None,
    pid: int | None = None,
    where: bool = True,
    step_limit_s: float | None = None,
) -> Report:
    """Run a step until it can be said whether it leaks.

    Args:
        step: A function without arguments, an async function, or something that returns a context manager, which is
            entered and left. None, with `pid`, only watches.
        name: Of the step, in the report.
        budget: Longest time for the steps, as "20 s" or in seconds; a clear case ends much sooner, and the search for
            the origin at most ten seconds later.
        ignore: Names of metrics, or glob patterns on them, that are not watched.
        floor: Growth per step that does not matter, by metric, in its unit.
        setup: Called once before the first step; what it returns is handed to `step` and `teardown` if they take it.
        teardown: Called once after the last step.
        seed: Of the moments at which is looked.
        pid: Watch this process and its children instead of the one that runs the step.
        where: Search for the origin of what grows.
        step_limit_s: A step that takes longer has failed; the budget by default.

    Raises:
        StepFailed: The step, `setup` or `teardown` raised an error, or a step hung.
        StepNotFound: There is no process `pid`.
        InvalidOptions: An option is out of range, or names no metric.
    """
    if step is None and pid is None:
        raise InvalidOptions("a trial needs a step, or a process to watch")
    config = TrialConfig.of(budget, ignore, floor, step_limit_s)
    began_s = time.monotonic()
    with ExitStack() as stack:
        watchdog = Watchdog()
        stack.enter_context(watchdog.guarding())
        subject = stack.enter_context(open_step(step or _tick, setup, teardown))
        instruments = stack.enter_context(open_instruments(subject, pid, config))
        run = Run(subject, instruments, config, watchdog, random.Random(seed))
        series = run.decide()
        if where and pid is None:
            search_s = config.search_s(time.monotonic() - began_s)
            with watchdog.cutting_off(max(0.0, search_s) + CUT_OFF_S):
                series = _located(series, subject, search_s, seed or 0)
    return Report(
        name=name or (name_of(step) if step else f"process {pid}"),
        verdict=overall(series),
        steps=subject.count,
        seconds=time.monotonic() - began_s,
        findings=findings(run.record.tracks(), series),
        series=series,
        unavailable=instruments.unavailable,
    )


def _tick() -> None:
    time.sleep(TICK_S)


def _located(series: tuple[Series, ...], step: Step, search_s: float, seed: int) -> tuple[Series, ...]:
    """Add to each series that grows where what stays came from."""
    growing = [each for each in series if each.verdict is Kind.GROWING]
    if not growing or search_s < SHORTEST_SEARCH_S:
        return series
    from tightship.leaks.where import locate  # it brings tracemalloc, which a clean step never needs

    origins = locate(step, growing, budget_s=search_s, seed=seed)
    return tuple(replace(each, where=origins.get(each.metric, ())) for each in series)
