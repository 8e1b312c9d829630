"""When slots that keep dying are no longer replaced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightship.core.restart import Breaker, RestartIntensity

INTENSITY = RestartIntensity(max_deaths=3, within_s=10.0, cool_down_s=60.0)


def after(*deaths_s: float) -> Breaker:
    breaker = Breaker(INTENSITY)
    for time_s in deaths_s:
        breaker = breaker.died(time_s)
    return breaker


def test_a_new_breaker_is_closed() -> None:
    """Without deaths slots may start."""
    assert after().retry_after_s(0.0) == 0.0


def test_as_many_deaths_as_allowed_keep_it_closed() -> None:
    """The limit itself is still put up with."""
    assert after(1.0, 2.0, 3.0).retry_after_s(3.0) == 0.0


def test_one_death_more_opens_it_for_the_cool_down() -> None:
    """The breaker opens at the death that is one too many."""
    breaker = after(1.0, 2.0, 3.0, 4.0)
    assert breaker.retry_after_s(4.0) == 60.0
    assert breaker.retry_after_s(63.0) == 1.0


def test_it_closes_after_the_cool_down() -> None:
    """Time alone closes it."""
    assert after(1.0, 2.0, 3.0, 4.0).retry_after_s(64.0) == 0.0


def test_deaths_far_apart_are_bad_luck() -> None:
    """Any number of deaths is fine when they are rare."""
    assert after(*(5.0 * n for n in range(100))).retry_after_s(495.0) == 0.0


def test_a_death_after_the_cool_down_starts_a_new_count() -> None:
    """An old crash loop is forgotten once its deaths are out of the window."""
    assert after(1.0, 2.0, 3.0, 4.0, 70.0).retry_after_s(70.0) == 0.0


def test_dying_on_while_open_keeps_it_open() -> None:
    """Slots that were already running may die too; the cool-down counts from the last one."""
    assert after(1.0, 2.0, 3.0, 4.0, 5.0).retry_after_s(6.0) == 59.0


@given(st.lists(st.floats(0, 100), max_size=60).map(sorted))
def test_its_memory_is_bounded_and_it_opens_exactly_on_too_many(deaths_s: list[float]) -> None:
    """However slots die, it remembers a handful of deaths, and opens when more than the limit fall in one window."""
    breaker = after(*deaths_s)
    assert len(breaker.deaths_s) <= INTENSITY.max_deaths + 1
    crowded = any(
        last - first < INTENSITY.within_s
        for first, last in zip(deaths_s, deaths_s[INTENSITY.max_deaths :], strict=False)
    )
    assert (breaker.open_until_s is not None) == crowded


@pytest.mark.parametrize("wrong", [{"max_deaths": -1}, {"within_s": 0.0}, {"cool_down_s": -1.0}])
def test_an_intensity_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    """Settings are checked where they are made."""
    with pytest.raises(ValueError, match="out of range"):
        RestartIntensity(**wrong)  # type: ignore[arg-type]
