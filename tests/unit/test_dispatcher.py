"""How the dispatcher tells how far a job has come."""

from __future__ import annotations

import pytest

from tightship.dispatcher import progress_of
from tightship.pool.messages import Progress


@pytest.mark.parametrize(
    ("event", "fraction", "eta_s"),
    [
        (Progress(0, 60, "s"), 0.0, None),
        (Progress(15, 60, "s"), 0.25, 30.0),
        (Progress(90, 60, "s"), 1.0, 0.0),
        (Progress(7, None, "frames"), None, None),
        (Progress(7, 0, "frames"), None, None),
    ],
)
def test_progress_for_people(event: Progress, fraction: float | None, eta_s: float | None) -> None:
    """The rest is reckoned from the time the done part took; what is not known is not guessed."""
    told = progress_of(event, 10.0)

    assert (told["fraction"], told["eta_s"]) == (fraction, eta_s)
    assert (told["done"], told["total"], told["unit"]) == (event.done, event.total, event.unit)
