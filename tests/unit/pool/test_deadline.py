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
