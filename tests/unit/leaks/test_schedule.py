"""When a trial looks, and when it has seen enough."""

from __future__ import annotations

import gc
import random
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightship.leaks import schedule
from tightship.leaks.schedule import Progress


def at(steps: int, steps_s: float, *, cpu_s: float | None = None, budget_s: float = 20.0) -> Progress:
    return Progress(steps, steps_s, steps_s if cpu_s is None else cpu_s, steps_s, budget_s)


# --- where to look ---------------------------------------------------------------------------------


@given(st.integers(1, 5000), st.integers(1, 200), st.integers(0, 2**32))
def test_looks_rise_inside_the_window_and_end_with_it(window: int, count: int, seed: int) -> None:
    """Each look is after a step of its own, and the last step of a window is seen."""
    chosen = list(schedule.offsets(random.Random(seed), window, count))
    assert chosen == sorted(set(chosen))
    assert chosen[0] >= 1
    assert chosen[-1] == window
    assert len(chosen) == min(window, count)


def test_looks_of_a_short_window_are_after_every_step() -> None:
    """Slow steps are seen one by one."""
    assert list(schedule.offsets(random.Random(1), 12)) == list(range(1, 13))


def test_looks_do_not_alias() -> None:
    """Distances differ, so that no period is mistaken for a level or a slope."""
    chosen = list(schedule.offsets(random.Random(1), 1200))
    assert len({after - before for before, after in pairwise(chosen)}) > 5


def test_the_same_seed_looks_at_the_same_steps() -> None:
    """A trial can be repeated."""
    assert list(schedule.offsets(random.Random(7), 999)) == list(schedule.offsets(random.Random(7), 999))


def test_many_looks_of_a_window_take_no_more_memory_than_few() -> None:
    """What a trial holds only while it looks often would be seen by its own gauge."""
    rng = random.Random(1)

    def held_blocks(count: int) -> int:
        chosen = schedule.offsets(rng, 100_000, count)
        offset = next(chosen)
        gc.collect()
        blocks = sys.getallocatedblocks()
        assert offset < next(chosen)
        return blocks

    held_blocks(12)
    assert abs(held_blocks(schedule.MOST_SAMPLES) - held_blocks(12)) <= 5


def test_two_windows_are_half_of_all_steps() -> None:
    """The verdict compares the last half with the quarter before: each is two windows, or one."""
    steps = [1000]
    for _ in range(3):
        steps.append(steps[-1] + schedule.window_steps(steps[-1]))
    assert steps[2] == pytest.approx(2 * steps[0], rel=0.01)


def test_the_first_window_has_a_step_for_each_look() -> None:
    """A slow step is judged after few of them."""
    assert schedule.window_steps(0) == schedule.SAMPLES


@pytest.mark.parametrize(
    ("window", "step_s", "look_s", "expected"),
    [
        (1000, 1e-6, 1e-3, schedule.SAMPLES),
        (1000, 1e-2, 1e-3, schedule.MOST_SAMPLES),
        (1000, 1e-3, 1e-3, 80),
        (30, 1.0, 1e-3, 15),
        (1000, 1e-3, 0.0, schedule.SAMPLES),
    ],
)
def test_slow_steps_are_looked_at_more_often(window: int, step_s: float, look_s: float, expected: int) -> None:
    """More looks cost nothing beside steps that take long, and make the noise smaller."""
    assert schedule.samples(window, step_s, look_s) == expected


# --- when to stop -----------------------------------------------------------------------------------


def test_fast_growth_is_not_believed_before_a_long_warm_up_is_over() -> None:
    """A table of 8000 entries fills in a fraction of a second."""
    assert not at(8000, 0.1).may_say_growing
    assert at(30_000, 0.3).may_say_growing


def test_growth_of_steps_that_work_is_believed_after_a_second() -> None:
    """A usual cache is full by then."""
    assert at(2000, 1.0).may_say_growing
    assert not at(700, 1.0).may_say_growing


def test_slow_steps_need_fewer() -> None:
    """Nobody waits for a thousand steps of a third of a second; 24 are the least."""
    assert at(40, 12.0).may_say_growing
    assert at(70, 12.0).may_say_steady
    assert not at(23, 19.0).may_say_growing
    assert not at(23, 19.0).may_say_steady


@pytest.mark.parametrize(("step_s", "needed"), [(0.01, 1250), (0.02, 626), (0.04, 313), (0.08, 157)])
def test_growth_is_believed_when_the_cache_that_could_fill_is_full(step_s: float, needed: int) -> None:
    """The slower the steps, the smaller the caches that they can fill within the budget."""
    assert not at(needed - 1, (needed - 1) * step_s).may_say_growing
    assert at(needed, needed * step_s).may_say_growing


def test_no_step_shows_no_growth() -> None:
    """A trial may be asked before it began."""
    assert not at(0, 0.0).may_say_growing


def test_a_busy_machine_does_not_shorten_a_warm_up() -> None:
    """Time that other processes took counts less."""
    assert not at(5000, 0.9, cpu_s=0.2).may_say_growing
    assert at(5000, 0.9, cpu_s=0.9).may_say_growing


def test_steps_that_wait_are_believed_in_the_end() -> None:
    """A step may spend its time in another process."""
    assert at(2000, 6.0, cpu_s=0.01).may_say_growing


def test_a_small_budget_is_used_in_proportion() -> None:
    """What is believed after a tenth of the usual budget is believed after a tenth of a small one."""
    assert at(700, 0.7, budget_s=1.0).may_say_growing
    assert not at(700, 0.7, budget_s=20.0).may_say_growing


def test_a_level_is_believed_sooner_than_growth() -> None:
    """A cache that fills rises; what is level has filled."""
    progress = at(800, 0.6)
    assert progress.may_say_steady
    assert not progress.may_say_growing


def test_the_budget_ends_a_trial() -> None:
    """Whatever has been seen by then."""
    assert at(1, 20.0).is_over
    assert not at(1, 19.9).is_over
