"""A series as a small plot of text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from tightship.leaks.output.figure import without_unit
from tightship.leaks.report import Series

Points = Sequence[tuple[float, float]]
#: Size of a plot in letters; a letter of Braille holds two by four dots.
WIDTH, HEIGHT = 56, 5
#: Fewer points show nothing that the slope does not say.
MIN_POINTS = 3
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_BLANK = 0x2800


def plot(series: Series, *, plain: bool = False) -> list[str]:
    """Return the lines of a plot with its axes; none where there is too little to draw.

    Args:
        series: What to draw.
        plain: Draw with ASCII, for terminals that have no Braille.
    """
    if len(series.points) < MIN_POINTS:
        return []
    extremes = (pick(value for _, value in series.points) for pick in (min, max))
    low, high = (without_unit(value, series.unit) for value in extremes)
    margin = max(len(low), len(high))
    rows = _in_ascii(series.points) if plain else _in_braille(series.points)
    labels = [high, *[""] * (HEIGHT - 2), low]
    bar = "|" if plain else "│"
    first, last = (f"{step:,.0f}" for step in (series.points[0][0], series.points[-1][0]))
    steps = f"step {first}"
    drawn = [f"{label:>{margin}} {bar}{row}".rstrip() for label, row in zip(labels, rows, strict=True)]
    return [*drawn, f"{'':{margin}}  {steps}{last:>{WIDTH - len(steps)}}"]


def _in_braille(points: Points) -> list[str]:
    cells = [[_BLANK] * WIDTH for _ in range(HEIGHT)]
    for x, y in _dots(points, WIDTH * 2, HEIGHT * 4):
        cells[y // 4][x // 2] |= _DOTS[x % 2][y % 4]
    return ["".join(map(chr, row)).replace(chr(_BLANK), " ") for row in cells]


def _in_ascii(points: Points) -> list[str]:
    cells = [[" "] * WIDTH for _ in range(HEIGHT)]
    for x, y in _dots(points, WIDTH, HEIGHT):
        cells[y][x] = "*"
    return ["".join(row) for row in cells]


def _dots(points: Points, width: int, height: int) -> list[tuple[int, int]]:
    """Return column and row, from the top, of each dot of a line through the points."""
    values = [value for _, value in points]
    low, span = min(values), (max(values) - min(values)) or 1.0
    rows = [height - 1 - round((value - low) / span * (height - 1)) for value in _spread(points, width)]
    dots: list[tuple[int, int]] = []
    for x, y in enumerate(rows):
        before = rows[x - 1] if x else y
        dots += [(x, between) for between in range(min(before + 1, y), max(before - 1, y) + 1)] or [(x, y)]
    return dots


def _spread(points: Points, count: int) -> list[float]:
    """Return `count` values at equal distances on the line through the points."""
    steps = [step for step, _ in points]
    values = []
    for index in range(count):
        at = steps[0] + (steps[-1] - steps[0]) * index / (count - 1)
        right = min(max(bisect_left(steps, at), 1), len(steps) - 1)
        (x0, y0), (x1, y1) = points[right - 1], points[right]
        values.append(y0 + (y1 - y0) * (at - x0) / (x1 - x0))
    return values
