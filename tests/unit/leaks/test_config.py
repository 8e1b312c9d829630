"""Settings of a trial."""

from __future__ import annotations

import math

import pytest

from tightship.errors import InvalidOptions
from tightship.leaks.config import LONGEST_SEARCH_S, TrialConfig


def test_a_budget_is_read_as_people_write_it() -> None:
    """Text with a unit, or seconds."""
    assert TrialConfig.of("1.5 min").budget_s == 90
    assert TrialConfig.of(3).budget_s == 3


def test_ignored_metrics_are_not_watched() -> None:
    """Names and patterns; one name may stand alone."""
    config = TrialConfig.of(ignore=["rss", "temp_*"])
    assert not config.watches("rss")
    assert not config.watches("temp_files")
    assert config.watches("children_rss")
    assert not TrialConfig.of(ignore="fds").watches("fds")


def test_a_floor_takes_the_place_of_the_metrics_own() -> None:
    """Growth that the caller does not mind."""
    config = TrialConfig.of(floor={"fds": 2})
    assert config.floor("fds") == 2
    assert config.floor("sockets") == 0.005


@pytest.mark.parametrize(
    "wrong",
    [
        {"budget": 0},
        {"budget": "soon"},
        {"budget": "2 d"},
        {"ignore": ["no_such"]},
        {"floor": {"no_such": 1}},
        {"floor": {"fds": -1}},
        {"floor": {"fds": math.inf}},
        {"step_limit_s": 0},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    """Before anything is run."""
    with pytest.raises(InvalidOptions):
        TrialConfig.of(**wrong)  # type: ignore[arg-type]


def test_a_misspelt_metric_is_named_with_its_neighbour() -> None:
    """The message says what was meant."""
    with pytest.raises(InvalidOptions, match="did you mean python_blocks"):
        TrialConfig.of(ignore=["python_block"])


def test_a_confidence_out_of_range_is_refused() -> None:
    """Certainty cannot be had."""
    with pytest.raises(InvalidOptions, match="confidence"):
        TrialConfig(confidence=1.0)


def test_a_late_step_has_less_time() -> None:
    """A trial of the default budget ends within 40 s, a hanging step and the search included."""
    config = TrialConfig()
    assert config.step_limit_at(0) == 20
    assert config.step_limit_at(30) == 8
    assert config.search_s(10) == LONGEST_SEARCH_S
    assert config.search_s(26) == 2
    assert TrialConfig.of(step_limit_s=0.5).step_limit_at(0) == 0.5
