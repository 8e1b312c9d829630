"""When to look, and when enough has been seen: pure, so that it can be simulated."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

#: Looks at the values in each window.
SAMPLES = 12
#: Most looks, where steps take so long that looks cost nothing beside them: noise shrinks with their square root.
MOST_SAMPLES = 192
#: Share of a window's time that more looks than `SAMPLES` may take.
LOOKS_SHARE = 0.08
#: Steps before the first look: first calls import, compile, connect.
WARM_UP = 3
#: Each window ends this many times further than the one before, so that two of them are half of all steps.
GROWTH = 2**0.5
#: Steps after which a bounded cache of usual size (128, 512, 1000, 1024) is full, and has been for a quarter of them.
ENOUGH_STEPS = 1524
#: Steps after which even a warm-up of 8000 is over; until then a leak is believed only after `MIN_GROWING_S`.
PLENTY_STEPS = 24_000
#: Seconds of the processor spent in steps, at a budget of 20 s, before growth is believed.
MIN_GROWING_S = 0.7
#: The same before a level is believed.
MIN_STEADY_S = 0.2
#: Seconds that count as one of the processor: steps that wait need few, but on a busy machine everything waits.
WAITED_S = 3.0
#: Seconds that count as one of steps where looking takes longer than the steps do.
LOOKED_S = 4.0
#: Steps by which a cache of 1024, 512, 256, 128 entries has been full for so long that its growth is seen to fade.
FULL_CACHE_STEPS = (1250, 626, 313, 157)
#: Share of the budget in which these must be reached, or else slow steps are judged on fewer.
REACHED_SHARE = 0.7
#: Seconds at which half of `ENOUGH_STEPS` are enough for growth of steps too slow for that.
PATIENCE_GROWING_S = 3.0
#: The same for a level.
PATIENCE_STEADY_S = 0.5
#: Fewest steps that any verdict before the end of the budget needs.
FEWEST_STEPS = 24
#: The budget that the other times are meant for, in seconds.
USUAL_BUDGET_S = 20.0


@dataclass(frozen=True)
class Progress:
    """How far a trial is.

    Args:
        steps: Done so far.
        steps_s: Seconds spent in them.
        cpu_s: Seconds of the processor that this process spent in them.
        elapsed_s: Seconds since the trial began.
        budget_s: Seconds it may take.
    """

    steps: int
    steps_s: float
    cpu_s: float
    elapsed_s: float
    budget_s: float

    @property
    def may_say_growing(self) -> bool:
        """Whether growth that kept its rate so far can be believed."""
        if not self.steps:
            return False
        within = REACHED_SHARE * self.budget_s * self.steps / max(self.elapsed_s, 1e-9)
        few = max(FEWEST_STEPS, ENOUGH_STEPS / (1 + (self._waited_s / PATIENCE_GROWING_S) ** 3))
        needed = next((steps for steps in FULL_CACHE_STEPS if steps <= within), few)
        return self.steps >= needed and (self._worked_s >= MIN_GROWING_S or self.steps >= PLENTY_STEPS)

    @property
    def may_say_steady(self) -> bool:
        """Whether a level so far can be believed."""
        needed = max(FEWEST_STEPS, ENOUGH_STEPS / (1 + self._waited_s / PATIENCE_STEADY_S))
        return self.steps >= needed and (self._worked_s >= MIN_STEADY_S or self.steps >= PLENTY_STEPS)

    @property
    def _waited_s(self) -> float:
        """Time as if the budget were the usual one; a larger budget does not slow down a clear case."""
        return max(self.steps_s, self.elapsed_s / LOOKED_S) * max(1.0, USUAL_BUDGET_S / self.budget_s)

    @property
    def _worked_s(self) -> float:
        """The same in time of the processor."""
        return max(self.cpu_s * max(1.0, USUAL_BUDGET_S / self.budget_s), self._waited_s / WAITED_S)

    @property
    def is_over(self) -> bool:
        """Whether the budget is used up."""
        return self.elapsed_s >= self.budget_s


def window_steps(steps_done: int) -> int:
    """Return how many steps the next window has."""
    if steps_done < SAMPLES:
        return SAMPLES
    return max(SAMPLES, round((GROWTH - 1) * steps_done))


def samples(window: int, step_s: float, look_s: float) -> int:
    """Return how often to look in a window of steps, given what a step and a look take."""
    affordable = int(LOOKS_SHARE * window * step_s / look_s) if look_s > 0 else 0
    return max(SAMPLES, min(MOST_SAMPLES, affordable, window // 2))


def offsets(rng: random.Random, window: int, samples: int = SAMPLES) -> Iterator[int]:
    """Yield after which steps of a window to look: one at random in each of its parts, so that no period aliases.

    The last look is at the end of the window. One at a time: the numbers of all looks would be memory that is held
    during some windows more than during others, and would pass for the step's.
    """
    count = min(samples, window)
    for part in range(count - 1):
        yield rng.randint(window * part // count + 1, window * (part + 1) // count)
    yield window
