"""What the tests of the places share: a growing series, and the line that a mark stands on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tightship.core.verdict import Kind
from tightship.leaks.report import Series


@pytest.fixture
def line_of(request: pytest.FixtureRequest) -> Callable[[str], int]:
    """Return the line of the test's own file that ends in a mark."""
    lines = Path(request.path).read_text().splitlines()

    def find(mark: str) -> int:
        return next(number for number, line in enumerate(lines, start=1) if line.endswith(f"# leak: {mark}"))

    return find


@pytest.fixture
def series() -> Callable[..., Series]:
    """Return a series of a metric, growing unless told otherwise."""

    def make(metric: str, slope: float = 1.0, verdict: Kind = Kind.GROWING) -> Series:
        return Series(metric, "units", verdict, slope, (slope, slope), 0.0, "")

    return make
