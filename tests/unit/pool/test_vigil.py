"""What an attempt's watch takes from a worker that is not trusted."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tightship.pool.deadline import Deadline
from tightship.pool.messages import Opened
from tightship.pool.task import Task
from tightship.pool.vigil import Vigil


def test_a_session_is_opened_once(caplog: pytest.LogCaptureFixture) -> None:
    """A worker that says so again and again fills neither the log nor the receipt."""
    caplog.set_level(logging.INFO, "tightship")
    lines: Any = None
    vigil = Vigil(lines, Task("transcribe", "module", {}, Deadline(1, 2)), 2**30, 0.5, None, None)

    for took_s in (0.8, 1e300, 0.0):
        vigil._take(Opened(took_s, 10, 200, 250))

    assert vigil.opening is not None
    assert (vigil.opening.took_s, len(caplog.records)) == (0.8, 1)
