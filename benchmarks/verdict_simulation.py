"""Measure how often the verdict is wrong: false alarms on series that do not grow, power on series that do.

Run `python benchmarks/verdict_simulation.py`; it prints a Markdown table. Every run draws the same series.

Caveats: the models are ours, not recordings. Growth that is slower than the series is long (a cache still filling, a
sawtooth whose tooth is longer than the run) cannot be told from a leak by anyone: the rows marked (limit) show it.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable

from tightship.core.verdict import Kind, verdict

Model = Callable[[random.Random, int], list[float]]

#: Series drawn per model and length: as many as a minute allows.
RUNS = {30: 500, 60: 400, 100: 400, 300: 150, 1000: 80}
#: The steady leak added for the power column, in detectable slopes.
LEAK_DETECTABLE_SLOPES = 2.0


def white(rng: random.Random, steps: int) -> list[float]:
    return [rng.gauss(0, 1) for _ in range(steps)]


def autoregressive(phi: float, own_noise: float = 0.0) -> Model:
    def draw(rng: random.Random, steps: int) -> list[float]:
        level = rng.gauss(0, 1)
        values = []
        for _ in range(steps):
            level = phi * level + math.sqrt(1 - phi**2) * rng.gauss(0, 1)
            values.append(level + own_noise * rng.gauss(0, 1))
        return values

    return draw


def walk(chance: float) -> Model:
    """Return memory that moves up or down by one block now and then and never comes back on purpose."""

    def draw(rng: random.Random, steps: int) -> list[float]:
        level = 0.0
        values = []
        for _ in range(steps):
            level += rng.choice((-1, 1)) if rng.random() < chance else 0
            values.append(level)
        return values

    return draw


def levels(chance: float, noise: float) -> Model:
    """Return memory that jumps to another level now and then."""

    def draw(rng: random.Random, steps: int) -> list[float]:
        level = rng.gauss(0, 1)
        values = []
        for _ in range(steps):
            level = rng.gauss(0, 1) if rng.random() < chance else level
            values.append(level + noise * rng.gauss(0, 1))
        return values

    return draw


def sawtooth(period: Callable[[int], float]) -> Model:
    """Return noisy teeth of height one, `period(steps)` steps long."""

    def draw(rng: random.Random, steps: int) -> list[float]:
        tooth = period(steps)
        phase = rng.random() * tooth
        return [((step + phase) % tooth) / tooth + 0.1 * rng.gauss(0, 1) for step in range(steps)]

    return draw


def fading(share: float, noise: float) -> Model:
    """Return a cache that fills as 1 - exp(-t) with a time constant of `share` of the series."""

    def draw(rng: random.Random, steps: int) -> list[float]:
        return [1 - math.exp(-step / (share * steps)) + noise * rng.gauss(0, 1) for step in range(steps)]

    return draw


def plateau(share: float, noise: float) -> Model:
    """Return a pool that grows evenly until `share` of the series and then is full."""

    def draw(rng: random.Random, steps: int) -> list[float]:
        return [min(1.0, step / (share * steps)) + noise * rng.gauss(0, 1) for step in range(steps)]

    return draw


def mixed_jobs(rng: random.Random, steps: int) -> list[float]:
    """Return levels after jobs of three sizes: a part stays with the allocator and is given back slowly, in pages."""
    level = 0.0
    values = []
    for _ in range(steps):
        size = rng.choice((1, 1, 1, 3, 3, 20)) * rng.lognormvariate(0, 0.3)
        level = max(0.3 * size, 0.8 * level)
        values.append(round(64 * (level + rng.gauss(0, 0.05))) / 64)
    return values


#: Series that do not grow and go on as they are: a leak is added to them for the power.
STATIONARY: dict[str, Model] = {
    "white noise": white,
    "AR(1), phi 0.5": autoregressive(0.5),
    "AR(1), phi 0.9": autoregressive(0.9),
    "AR(1), phi 0.95, and white noise": autoregressive(0.95, own_noise=1.0),
    "steps up or down, every step": walk(1.0),
    "steps up or down, 1 in 20": walk(0.05),
    "jumps to a level, 1 in 5": levels(0.2, noise=0.05),
    "jumps to a level, 1 in 20": levels(0.05, noise=0.0),
    "jumps to a level, 1 in 20, noisy": levels(0.05, noise=0.2),
    "sawtooth, period 7 steps": sawtooth(lambda _: 7),
    "sawtooth, period 1/20 of the series": sawtooth(lambda steps: 0.05 * steps),
    "sawtooth, period 1/8": sawtooth(lambda steps: 0.125 * steps),
    "receipts of mixed job sizes": mixed_jobs,
}
#: Series that rise for a while and then do not: calling them growing is the classic false alarm.
PASSING: dict[str, Model] = {
    "sawtooth, period 1/4": sawtooth(lambda steps: 0.25 * steps),
    "sawtooth, period 1/2": sawtooth(lambda steps: 0.5 * steps),
    "sawtooth, period 7/10": sawtooth(lambda steps: 0.7 * steps),
    "cache filling, time constant 1/10": fading(0.1, noise=0.02),
    "cache filling, 1/4": fading(0.25, noise=0.1),
    "cache filling, 1/2": fading(0.5, noise=0.02),
    "cache filling, 1/2, noisy": fading(0.5, noise=0.3),
    "full after 3/10": plateau(0.3, noise=0.05),
    "full after 1/2": plateau(0.5, noise=0.2),
    "full after 3/4": plateau(0.75, noise=0.1),
}
#: What no look at the series alone can tell from a leak; printed for honesty.
LIMITS: dict[str, Model] = {
    "cache filling, time constant as long as the series": fading(1.0, noise=0.02),
    "full after 9/10": plateau(0.9, noise=0.1),
    "sawtooth, period twice the series": sawtooth(lambda steps: 2 * steps),
}


def judge(values: list[float], leak: float = 0.0) -> tuple[Kind, float]:
    """Return what is said of the values with `leak` added per step, and the detectable slope."""
    leaking = [value + leak * step for step, value in enumerate(values)]
    found = verdict(leaking, floor=0.0, target=math.inf, min_steps=0)
    return found.kind, found.detectable_slope


def false_alarms(model: Model, steps: int, runs: int) -> float:
    """Return the share of series of the model that are called growing."""
    drawn = (model(random.Random(f"{steps} {run}"), steps) for run in range(runs))
    return sum(judge(values)[0] is Kind.GROWING for values in drawn) / runs


def power(model: Model, steps: int, runs: int) -> float:
    """Return the share called growing once they leak twice what was said to be detectable.

    Series whose last windows happen to be constant are left out: their detectable slope is zero, and so is its double.
    """
    found = []
    for run in range(runs):
        values = model(random.Random(f"{steps} {run}"), steps)
        detectable_slope = judge(values)[1]
        if detectable_slope > 0:
            found.append(judge(values, LEAK_DETECTABLE_SLOPES * detectable_slope)[0] is Kind.GROWING)
    return sum(found) / len(found) if found else math.nan


def main() -> None:
    """Print the table: false alarms, and power where it has a meaning, in percent."""
    started = time.perf_counter()
    print("False alarms in % / power in % at twice the detectable slope\n")
    print("| series | " + " | ".join(f"n = {steps}" for steps in RUNS) + " |")
    print("|---|" + "---|" * len(RUNS))
    for models in (STATIONARY, PASSING, LIMITS):
        for name, model in models.items():
            cells = []
            for steps, runs in RUNS.items():
                alarms = f"{100 * false_alarms(model, steps, runs):.1f}"
                cells.append(
                    f"{alarms} / {100 * power(model, steps, runs // 2):.0f}" if models is STATIONARY else alarms
                )
            print(f"| {'(limit) ' if models is LIMITS else ''}{name} | " + " | ".join(cells) + " |", flush=True)
    series = ", ".join(f"{runs} of {steps}" for steps, runs in RUNS.items())
    print(f"\nSeries per cell: {series}; half as many for power. {time.perf_counter() - started:.0f} s.")


if __name__ == "__main__":
    main()
