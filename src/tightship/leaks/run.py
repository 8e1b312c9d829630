"""The steps of a trial: windows of them, looks between them, and the moment when enough has been seen."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tightship.core.verdict import Kind
from tightship.leaks import schedule
from tightship.leaks.config import TrialConfig
from tightship.leaks.fault import StepFailed
from tightship.leaks.guard import Guard
from tightship.leaks.instrument import Instruments
from tightship.leaks.judgement import gained, judge, overall, rehearse
from tightship.leaks.record import Record
from tightship.leaks.report import Series
from tightship.leaks.schedule import Progress
from tightship.leaks.step import Step
from tightship.leaks.watchdog import Watchdog, run_steps

#: Seconds of steps between two looks at the clock.
CLOCK_S = 0.005
#: Seconds without a step after which what is still there is believed to stay.
SETTLE_S = 0.6
#: Between two looks meanwhile, in seconds.
LOOK_S = 0.05
#: What may end by itself if it is given time.
TRANSIENT = ("threads", "descendants", "asyncio_tasks")
#: Share of its growth that something must give back when no steps run to be called passing.
PASSING = 0.5


class Run:
    """A trial under way."""

    def __init__(
        self, step: Step, instruments: Instruments, config: TrialConfig, watchdog: Watchdog, rng: random.Random
    ) -> None:
        self._step = step
        self._family = instruments.family
        self._config = config
        self._watchdog = watchdog
        self._rng = rng
        self._guard = Guard.for_this_machine()
        self._steps = self._looked_at = 0
        self._steps_s = self._cpu_s = self._step_s = self._look_s = 0.0
        rehearse()
        self._began_s = time.monotonic()
        self.record = Record(instruments.gauges)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the trial began."""
        return time.monotonic() - self._began_s

    def decide(self) -> tuple[Series, ...]:
        """Run windows of steps until the verdict is clear or the budget is used up.

        Raises:
            StepFailed: A step raised an error or hung, or the watched process ended.
        """
        self._advance(schedule.WARM_UP)
        # The first judgement fills caches of Python's own, which must not look like the step's.
        self.record.look(self._steps)
        self._judged(is_final=True)
        with frozen_heap():
            concluded = None
            while concluded is None:
                self._window(schedule.window_steps(self._steps))
                concluded = self._concluded()
            return concluded

    def _concluded(self) -> tuple[Series, ...] | None:
        """Return the judgement if enough has been seen.

        What is thought meanwhile is gone on return: it would show among the blocks that Python has given out.
        """
        progress = Progress(self._steps, self._steps_s, self._cpu_s, self.elapsed_s, self._config.budget_s)
        is_over = progress.is_over or self.record.is_full or self._guard.is_reached(self.record)
        if not (is_over or progress.may_say_growing or progress.may_say_steady):
            return None
        series = self._judged(is_final=is_over)
        if overall(series) is Kind.GROWING and (is_over or progress.may_say_growing):
            series = self._without_passing(series)
            if overall(series) is Kind.GROWING:
                return series if is_over else self._rounded_off(series)
        is_clear = overall(series) is Kind.STEADY and progress.may_say_steady
        return series if is_over or is_clear else None

    def _window(self, window: int) -> None:
        """Run a window of steps, as far as the budget goes, and look at random moments."""
        left_s = self._config.budget_s - self.elapsed_s
        if self._step_s:
            window = max(1, min(window, round(left_s / self._step_s)))
        done = 0
        looks = schedule.samples(window, self._step_s, self._look_s)
        for offset in schedule.offsets(self._rng, window, looks):
            self._advance(offset - done)
            done = offset
            self._look()
            if self._is_cut_short():
                return

    def _is_cut_short(self) -> bool:
        return self.record.is_full or self.elapsed_s >= self._config.budget_s or self._guard.is_reached(self.record)

    def _look(self) -> None:
        if self._steps > self._looked_at:
            began_s = time.monotonic()
            self._step.turn()
            self.record.look(self._steps)
            self._looked_at = self._steps
            self._look_s = time.monotonic() - began_s

    def _advance(self, steps: int) -> None:
        """Run steps, no further than the budget goes."""
        until = self._steps + steps
        while self._steps < until:
            if self._family.is_gone():
                raise StepFailed(f"process {self._family.pid} ended after step {self._steps}", step=self._steps)
            chunk = 1 if not self._step_s else max(1, int(CLOCK_S / self._step_s))
            chunk = min(chunk, until - self._steps)
            began_s, began_cpu_s = time.monotonic(), time.process_time()
            run_steps(self._step, chunk, self._config.step_limit_at(self.elapsed_s), self._watchdog)
            took_s = time.monotonic() - began_s
            self._steps += chunk
            self._steps_s += took_s
            self._cpu_s += time.process_time() - began_cpu_s
            self._step_s = took_s / chunk
            if self.elapsed_s >= self._config.budget_s:
                return

    def _judged(self, *, is_final: bool) -> tuple[Series, ...]:
        tracks = {name: track for name, track in self.record.tracks().items() if self._config.watches(name)}
        config = self._config
        return judge(
            tracks, floor=config.floor, confidence=config.confidence, is_final=is_final, budget_s=config.budget_s
        )

    def _rounded_off(self, series: tuple[Series, ...]) -> tuple[Series, ...]:
        """Say of the other series what can be said, since no more steps will follow."""
        final = {each.metric: each for each in self._judged(is_final=True)}
        return tuple(
            final[each.metric] if each.verdict is Kind.UNDECIDED and final[each.metric].verdict is Kind.STEADY else each
            for each in series
        )

    def _without_passing(self, series: tuple[Series, ...]) -> tuple[Series, ...]:
        """Take back the growth of what ends by itself: wait without a step, as long as something may still end."""
        growing = [each for each in series if each.verdict is Kind.GROWING]
        if not any(each.metric in TRANSIENT for each in growing):
            return series
        until_s = time.monotonic() + SETTLE_S
        passing: set[str] = set()
        while time.monotonic() < until_s and len(passing) < len(growing):
            self._step.turn(LOOK_S)
            if not self._step.is_async:
                time.sleep(LOOK_S)
            now = self.record.read_now()
            for each in growing:
                if now[each.metric] < each.points[-1][1] - PASSING * max(0.0, gained(each.points)):
                    passing.add(each.metric)
        return tuple(
            replace(each, verdict=Kind.UNDECIDED, reason=f"Ends by itself after a while: {each.reason}")
            if each.metric in passing
            else each
            for each in series
        )


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Put what is there now out of the collector's sight, so that a collection costs little; garbage goes before."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
