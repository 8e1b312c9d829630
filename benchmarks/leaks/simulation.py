"""Measure how often the judgement of a whole trial is wrong: `python -m benchmarks.leaks.simulation [--trials 400]`.

A simulated trial is what a real one is without its steps: windows, looks at random moments, a judgement of all
metrics after each window, the rules for stopping early, the budget. In the null trials nothing leaks, whatever each of
the eight metrics does meanwhile: at most 1 % of them may be called GROWING. For the power the same looks are judged
again with a leak in one metric, twice what was reported as detectable there: at least 95 % must be found.

Caveats: the models are ours. Capacities, periods and time constants are no longer than a trial can see: up to 500
entries, teeth of 1000 steps, or a quarter of the steps that fit the budget where steps are slow.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import median

from tightship.core.verdict import Kind
from tightship.leaks import schedule
from tightship.leaks.judgement import Track, judge, overall
from tightship.leaks.metric import METRICS
from tightship.leaks.report import Series
from tightship.leaks.schedule import Progress

BUDGET_S = 20.0
#: What a step may take in seconds; each trial draws one.
STEP_S = (0.0002, 0.001, 0.01, 0.1)
#: Share of it that is work for the processor; the rest is waiting.
CPU_SHARES = (0.02, 1.0)
#: Seconds a look takes.
LOOK_S = 0.0006
#: What moves in a simulated trial, and how far: blocks, bytes, or counts.
SCALES = {
    "python_blocks": 3000.0,
    "native_heap": 200_000.0,
    "rss": 500_000.0,
    "children_rss": 500_000.0,
    "fds": 6.0,
    "threads": 4.0,
    "descendants": 3.0,
    "asyncio_tasks": 6.0,
}

#: Gives the value at a step, in units of its scale; asked for rising steps only.
Process = Callable[[int], float]
#: Draws one such process, given the most steps a period or a capacity may have.
Model = Callable[[random.Random, int], Process]


def log_uniform(rng: random.Random, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(max(low, high))))


def level(_: random.Random, __: int) -> Process:
    return lambda _: 0.0


def white(rng: random.Random, _: int) -> Process:
    return lambda _: rng.gauss(0, 1)


def autocorrelated(rng: random.Random, _: int) -> Process:
    """Noise that remembers, for 3 to 100 steps."""
    memory = log_uniform(rng, 3, 100)
    state = [0, rng.gauss(0, 1)]

    def at(step: int) -> float:
        kept = math.exp(-(step - state[0]) / memory)
        state[:] = step, kept * state[1] + math.sqrt(1 - kept**2) * rng.gauss(0, 1)
        return state[1]

    return at


def wandering(rng: random.Random, _: int) -> Process:
    """A level that is pulled back to its middle only slowly, over 50 to 300 steps, and moves by small steps."""
    process = autocorrelated(rng, 0)
    return lambda step: round(20 * process(step)) / 20


def jumps(rng: random.Random, _: int) -> Process:
    """Another level now and then, with one step in 5 to 100."""
    chance, noise = 1 / log_uniform(rng, 5, 100), rng.choice((0.0, 0.05, 0.2))
    state = [0, rng.gauss(0, 1)]

    def at(step: int) -> float:
        if rng.random() > (1 - chance) ** (step - state[0]):
            state[1] = rng.gauss(0, 1)
        state[0] = step
        return state[1] + noise * rng.gauss(0, 1)

    return at


def sawtooth(rng: random.Random, most: int) -> Process:
    """A buffer that is flushed each 5 to 1000 steps."""
    period = log_uniform(rng, 5, 2 * most)
    phase, noise = rng.random() * period, rng.choice((0.0, 0.05))
    return lambda step: (step + phase) % period / period + noise * rng.gauss(0, 1)


def fading(rng: random.Random, most: int) -> Process:
    """A cache that fills ever more slowly."""
    constant, noise = log_uniform(rng, 5, most / 2), rng.choice((0.0, 0.02, 0.2))
    return lambda step: -5 * math.exp(-step / constant) + noise * rng.gauss(0, 1)


def plateau(rng: random.Random, most: int) -> Process:
    """A pool that fills evenly and is full after 10 to 500 steps."""
    capacity, noise = log_uniform(rng, 10, most), rng.choice((0.0, 0.02, 0.2))
    return lambda step: 5 * min(1.0, step / capacity) + noise * rng.gauss(0, 1)


STATIONARY: dict[str, Model] = {
    "level": level,
    "noise": white,
    "autocorrelated": autocorrelated,
    "wandering": wandering,
    "jumps": jumps,
    "sawtooth": sawtooth,
}
PASSING: dict[str, Model] = {"fading": fading, "plateau": plateau}
#: Of which models each metric of a row's trials draws one.
ROWS = {
    **{name: [model] for name, model in {**STATIONARY, **PASSING}.items()},
    "each something else": list({**STATIONARY, **PASSING}.values()),
}


@dataclass(frozen=True)
class Outcome:
    """How a simulated trial ended: its tracks, what was said of them, and after how many steps."""

    tracks: dict[str, Track]
    series: tuple[Series, ...]
    steps: int


def floor(metric: str) -> float:
    """Return the growth that does not matter."""
    return METRICS[metric].floor


def simulated(rng: random.Random, models: dict[str, Model]) -> Outcome:
    """Run a trial of steps that do nothing but move the metrics as the models say."""
    step_s, cpu_share = rng.choice(STEP_S), rng.choice(CPU_SHARES)
    most = min(500, int(BUDGET_S / step_s / 4))
    processes = {metric: model(rng, most) for metric, model in models.items()}
    points: dict[str, list[tuple[float, float]]] = {metric: [] for metric in processes}
    steps, elapsed_s = schedule.WARM_UP, schedule.WARM_UP * step_s

    def look() -> None:
        for metric, process in processes.items():
            value = SCALES[metric] * process(steps)
            points[metric].append((float(steps), float(round(value))))

    look()
    while True:
        window = max(1, min(schedule.window_steps(steps), round((BUDGET_S - elapsed_s) / step_s)))
        began = steps
        for offset in list(schedule.offsets(rng, window, schedule.samples(window, step_s, LOOK_S))):
            elapsed_s += (began + offset - steps) * step_s + LOOK_S
            if began + offset > steps:
                steps = began + offset
                look()
        progress = Progress(steps, steps * step_s, steps * step_s * cpu_share, elapsed_s, BUDGET_S)
        if not (progress.is_over or progress.may_say_growing or progress.may_say_steady):
            continue
        tracks = {metric: Track(metric, tuple(seen)) for metric, seen in points.items()}
        series = judge(tracks, floor=floor, confidence=0.99, is_final=progress.is_over)
        said = overall(series)
        grows, steady = (
            said is Kind.GROWING and progress.may_say_growing,
            said is Kind.STEADY and progress.may_say_steady,
        )
        if grows or steady or progress.is_over:
            return Outcome(tracks, series, steps)


def finds_leak(rng: random.Random, ended: Outcome) -> bool | None:
    """Say whether twice the detectable slope is found in a metric drawn by chance; None if nothing was detectable."""
    victim = rng.choice([series for series in ended.series if math.isfinite(series.detectable_slope)] or [None])
    if victim is None:
        return None
    leak = 2 * max(victim.detectable_slope, floor(victim.metric))
    points = tuple((step, value + round(leak * step)) for step, value in ended.tracks[victim.metric].points)
    tracks = {**ended.tracks, victim.metric: Track(victim.metric, points)}
    series = judge(tracks, floor=floor, confidence=0.99, is_final=True)
    return any(each.metric == victim.metric and each.verdict is Kind.GROWING for each in series)


def main() -> None:
    """Print a table: false alarms, undecided trials and power, in percent, by what the metrics do."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=400, help="simulated trials of each kind")
    parser.add_argument("--first", type=int, default=0, help="number of the first one, which seeds it")
    parser.add_argument("--row", action="append", choices=[*ROWS], help="only this kind; repeatable")
    asked, started = parser.parse_args(), time.perf_counter()
    numbers = range(asked.first, asked.first + asked.trials)
    print(f"{len(numbers)} trials of {len(SCALES)} metrics for each row; figures in percent of trials.\n")
    print("| all metrics are | GROWING | undecided | power | steps, median |\n|---|---|---|---|---|")
    with ProcessPoolExecutor() as workers:
        for name in asked.row or ROWS:
            print(_row(name, list(workers.map(_drawn, [name] * len(numbers), numbers))), flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s.")


@dataclass(frozen=True)
class Drawn:
    """What one simulated trial said, whether twice its detectable slope was found, and how many steps it took."""

    said: Kind
    found: bool | None
    steps: int


def _drawn(name: str, number: int) -> Drawn:
    rng = random.Random(f"{name} {number}")
    ended = simulated(rng, {metric: rng.choice(ROWS[name]) for metric in SCALES})
    said = overall(ended.series)
    if said is Kind.GROWING:
        growing = "; ".join(f"{each.metric}: {each.reason}" for each in ended.series if each.verdict is Kind.GROWING)
        print(f"{name} {number}, {ended.steps} steps: {growing}", file=sys.stderr, flush=True)
    found = finds_leak(rng, ended) if name not in PASSING and said is not Kind.GROWING else None
    return Drawn(said, found, ended.steps)


def _row(name: str, drawn: list[Drawn]) -> str:
    found = [each.found for each in drawn if each.found is not None]
    power = f"{100 * sum(found) / len(found):.1f}" if found else "-"
    said = [each.said for each in drawn]
    growing, undecided = (100 * said.count(kind) / len(said) for kind in (Kind.GROWING, Kind.UNDECIDED))
    steps = median(each.steps for each in drawn)
    return f"| {name} | {growing:.2f} | {undecided:.1f} | {power} | {steps:,.0f} |"


if __name__ == "__main__":
    main()
