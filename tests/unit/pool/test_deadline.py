"""How long an attempt may take."""

from __future__ import annotations

import pytest

from tightship.pool.deadline import Deadline


@pytest.mark.parametrize(("limit_s", "hard_s"), [(5, 7), (60, 66), (1800, 1980)])
def test_kill_comes_after_the_question(limit_s: float, hard_s: float) -> None:
    """Between asking to stop and killing lies a tenth of the time, at least two seconds."""
    assert Deadline.within(limit_s) == Deadline(limit_s, hard_s, 60)


@pytest.mark.parametrize(
    ("progressed_s", "expected"),
    [(100.0, (130.0, "no_progress")), (160.0, (190.0, "no_progress")), (175.0, (200.0, "deadline"))],
)
def test_whichever_limit_comes_first_kills(progressed_s: float, expected: tuple[float, str]) -> None:
    """The no-progress limit moves with the work, the hard deadline does not."""
    assert Deadline(90, 100, 30).next_kill(100.0, progressed_s) == expected


@pytest.mark.parametrize(
    ("done", "expected"),
    [(0.0, (90, 100)), (-5.0, (90, 100)), (45.0, (90, 100)), (200.0, (400, 440)), (1e12, (1000, 1100))],
)
def test_work_that_is_longer_than_was_claimed_gets_longer(done: float, expected: tuple[float, float]) -> None:
    """The pace puts soft and hard deadline off, up to the most that may be granted; the no-progress limit stays."""
    later = Deadline(90, 100, 30, pace_s=2, most_s=1000).after(done)

    assert (later.soft_s, later.hard_s, later.no_progress_s) == (*expected, 30)
    assert Deadline(90, 100, 30).after(done) == Deadline(90, 100, 30)


@pytest.mark.parametrize(
    ("pace_s", "done", "soft_s"),
    [
        (0, float("inf"), 90),
        (0, float("nan"), 90),
        (2, float("nan"), 90),
        (2, float("-inf"), 90),
        (2, float("inf"), 1000),
    ],
)
def test_what_is_no_number_of_units_puts_nothing_off(pace_s: float, done: float, soft_s: float) -> None:
    """What an operation says it has done may come from the input; the work must not stumble over it."""
    assert Deadline(90, 100, 30, pace_s=pace_s, most_s=1000).after(done).soft_s == soft_s
