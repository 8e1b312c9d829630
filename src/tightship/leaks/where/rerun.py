"""Run a step again and again until a time is over or the step fails."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

#: Steps in which something that grows once in a while shows often enough to be told from a single event.
TIMES_SEEN = 6
#: Steps that are enough for what stays with each step, and the most that rare growth is waited for.
FEWEST_STEPS, MOST_STEPS = 5, 600


class Rerun:
    """More runs of a step.

    Args:
        step: Runs one step.
        until_s: On the monotonic clock; no step is started after it.
        parent: The rerun that this one is a part of: when a step fails, both are over.
    """

    def __init__(self, step: Callable[[], None], until_s: float, parent: Rerun | None = None) -> None:
        self._step = step
        self._parent = parent
        self._failed = False
        self.until_s = until_s
        self.steps = 0

    @property
    def failed(self) -> bool:
        """Whether a step has raised an error."""
        return self._failed or (self._parent is not None and self._parent.failed)

    def over(self) -> bool:
        """Tell whether no step will be started any more."""
        return self.failed or time.monotonic() >= self.until_s

    def remaining_s(self) -> float:
        """Return how long steps may still be started."""
        return 0.0 if self.failed else max(0.0, self.until_s - time.monotonic())

    def run(self, count: int) -> int:
        """Run up to `count` steps.

        Returns:
            How many were run; fewer when the time is over or the step failed.
        """
        before = self.steps
        while self.steps - before < count and not self.over():
            try:
                self._step()
            except Exception:  # noqa: BLE001  # the trial has its verdict; what was seen until here is still true
                self._fail()
            else:
                self.steps += 1
        return self.steps - before

    def _fail(self) -> None:
        self._failed = True
        if self._parent is not None:
            self._parent._fail()

    def for_at_most(self, duration_s: float) -> Rerun:
        """Return a part of this rerun that ends earlier."""
        return Rerun(self._step, min(self.until_s, time.monotonic() + duration_s), self)


def limit(cpu_s: float, until_s: float) -> Callable[[], bool]:
    """Return what tells whether a search must end.

    Args:
        cpu_s: Processor time of this thread that it may take: on a busy machine it finds what it finds on an idle one.
        until_s: On the monotonic clock, for a machine that is too busy for that.
    """
    until_cpu_s = time.thread_time() + cpu_s
    return lambda: time.thread_time() >= until_cpu_s or time.monotonic() >= until_s


def collect_all() -> None:
    """Collect until nothing more is found: what a finalizer let go of is garbage only now."""
    for _ in range(3):
        if not gc.collect():
            break


def steps_that_show(slope: float) -> int:
    """Return how many steps show growth of so many a step."""
    return min(MOST_STEPS, max(FEWEST_STEPS, round(TIMES_SEEN / slope) if slope > 0 else 0))
